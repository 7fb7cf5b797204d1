"""Networks that people bring along: a SavedModel, a frozen graph, a .tflite file, by upload or from an address.

A stranger's file is opened once, in a confined process (`program`), which looks through it for operations that read or
write files (`screening`), finds what goes in and comes out, and writes the network down in one of two plain forms:

    network.pb       a frozen graph: `pictures`, float32 (N, S, S, 3) RGB 0..255, to `features`, float32 (N, F)
    network.tflite   as it came; how pictures are to be scaled for it is in `network.json`

together with `network.json` (see `spec`) and, where LiteRT can run it, its converted form. Everything after that
knows no more of where it came from: it is a backbone like any other, but that it always answers from a confined process
(`engine`), also in the web.

A classifier that is imported becomes a backbone as well, whose features are the logarithms of its probabilities: a head
that is the identity then gives these probabilities back.
"""
