"""Run backbones: with LiteRT, or in a confined process for strangers' networks; convert them and measure their speed."""
