"""Import networks that people add: a SavedModel, a frozen graph, a .tflite file, by upload or from an address.

A stranger's file is opened once, in a confined process (`program`), which screens it for operations that read or write
files (`ml.sandbox.screening`), finds its input and output, and writes the network in one of two plain forms:

    network.pb       a frozen graph: `pictures`, float32 (N, S, S, 3) RGB 0..255, to `features`, float32 (N, F)
    network.tflite   the file as it came; `network.json` says how to scale pictures for it

together with `network.json` (see `ml.backbones.spec`) and, if LiteRT can run it, its converted form. After that it is a
backbone like any other, except that it always runs in a confined process (`ml.engines.confined`), also for the web.

An imported classifier becomes a backbone too, whose features are the logarithms of its probabilities: a head that is
the identity then gives these probabilities back.
"""
