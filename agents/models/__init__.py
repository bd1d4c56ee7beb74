"""Model providers: one adapter per wire format, each the only file that knows a foreign shape."""
