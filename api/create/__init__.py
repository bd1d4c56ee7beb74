"""What a client may ask for: bodies of create requests and query parameters of reads, checked without a store."""
