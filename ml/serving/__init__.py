"""Read strangers' pictures and run backbones on them, in this process or in inference servers of their own."""
