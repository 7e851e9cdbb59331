"""Where messages lie: a folder or an object store, and the outbox before them."""
