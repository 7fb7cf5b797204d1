"""Run backbones with LiteRT, or in a confined process if they are strangers', and convert and measure them."""
