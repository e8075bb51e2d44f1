"""Words of the pages in other languages, from `translations/<locale>/<room>.po`."""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations


@cache
def translations(locale: str) -> Translations:
    """All catalogues of a locale as one; without any, words stay as they are written (English)."""
    folder = files("balance_gateway") / "translations" / locale
    found: Translations | None = None
    for file in sorted(folder.iterdir(), key=lambda f: f.name) if folder.is_dir() else ():
        compiled = io.BytesIO()
        write_mo(compiled, read_po(io.BytesIO(file.read_bytes()), locale))
        compiled.seek(0)
        one = Translations(compiled)
        found = found.merge(one) if found else one
    return found or Translations()


def by_locale(locales: tuple[str, ...]) -> Mapping[str, Translations]:
    """Catalogues of these locales."""
    return {locale: translations(locale) for locale in locales}
