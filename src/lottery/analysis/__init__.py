"""From trained networks to statements: tables (`tables`), intervals (`statistics`), the paper's claims (`claims`)."""
