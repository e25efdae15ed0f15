"""Figures: tables in, pictures out. `catalog` lists them; one module draws each; `style` gives them one look."""
