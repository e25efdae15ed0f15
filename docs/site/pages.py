"""Makes the site of the repository's pages as they are: README.md is its front page, and links out of docs/ stay right.

A page outside docs/ that the site has (OUTSIDE) is linked to; any other file of the repository, which the site does not
have, stays as its name.
"""

import os
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

OUTSIDE = {"README.md": "index.md", "config/README.md": "settings.md", "CONTRIBUTING.md": "contributing.md"}
"""Pages of the repository outside docs/, and what the site calls them."""

LINK = re.compile(r"(?P<picture>!?)\[(?P<label>[^\]]*)\]\((?P<target>[^)\s]+)\)")

FENCE = re.compile(r"^(```.*?^```$)", flags=re.MULTILINE | re.DOTALL)


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages outside docs/."""
    for source, name in OUTSIDE.items():
        files.append(File.generated(config, name, abs_src_path=str(repository(config) / source)))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, **_: object) -> str:
    """The page with its links as the site has them; blocks of code are left alone."""
    root, name = repository(config), page.file.src_uri
    source = next((path for path, called in OUTSIDE.items() if called == name), f"docs/{name}")

    def link(found: re.Match[str]) -> str:
        path, _, anchor = found["target"].partition("#")
        if not path or re.match(r"[a-z]+:", path):
            return found[0]
        meant = os.path.normpath(os.path.join(os.path.dirname(source), path))  # noqa: PTH118, PTH120 - of the repository
        if meant.startswith("docs/") or meant in OUTSIDE:
            site_path = OUTSIDE.get(meant, meant.removeprefix("docs/"))
            to = os.path.relpath(site_path, os.path.dirname(name) or ".")  # noqa: PTH120
            return f"{found['picture']}[{found['label']}]({to}{'#' * bool(anchor)}{anchor})"
        return found["label"] if (root / meant).is_file() else found[0]

    parts = FENCE.split(markdown)
    return "".join(part if part.startswith("```") else LINK.sub(link, part) for part in parts)


def repository(config: MkDocsConfig) -> Path:
    return Path(config.docs_dir).parent
