"""What runs a backbone: LiteRT, a confined process for strangers' networks, conversion, and measured speed."""
