"""Messages between parties, and what carries them."""

from .addresses import open_mailbox, serve
from .exchange import FileExchange, open_exchange
from .message.limits import Limits
from .message.manifest import Manifest

__all__ = ["FileExchange", "Limits", "Manifest", "open_exchange", "open_mailbox", "serve"]
