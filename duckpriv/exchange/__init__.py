"""Messages between parties, and what carries them."""

from .exchange import FileExchange, open_exchange
from .folder import Folder
from .manifest import Manifest

__all__ = ["FileExchange", "Folder", "Manifest", "open_exchange"]
