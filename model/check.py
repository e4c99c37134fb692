"""Whether the engine computes what PyTorch does, and what bytes for weights cost:

    cargo xtask eval PICTURES --model FILE --out OUT --squares
    python3 check.py FILE OUT [--state STATE.pt]

Both see the same squares. With --state, the network with the weights that FILE was made from judges them too."""
import argparse
import csv
import pathlib

import numpy
import torch

import calibrate
import export
import network

TOGETHER = 8


def dequantised(layers, head):
    """The network with a file's weights as floats. Normalisation is folded into them: what is left of it adds the bias."""
    net, state, (maps, means, ends) = network.Network(), {}, head
    for (convolution, norm, _), (weights, bias) in zip(export.convolutions(), layers):
        count = len(bias)
        state[convolution + ".weight"] = weights
        state.update({f"{norm}.weight": numpy.ones(count), f"{norm}.bias": bias, f"{norm}.running_mean": numpy.zeros(count),
                      f"{norm}.running_var": numpy.full(count, 1 - export.EPSILON), f"{norm}.num_batches_tracked": numpy.zeros(())})
    state.update({"map.weight": maps.reshape(1, -1, 1, 1), "map.bias": ends[:1], "glob.weight": means.reshape(1, -1), "glob.bias": ends[1:]})
    kinds = net.state_dict()
    net.load_state_dict({name: torch.tensor(numpy.array(value)).to(kinds[name].dtype) for name, value in state.items()})
    return net.eval()


def answers(net, squares):
    """Each square's logit, and that of the strongest cell."""
    out = []
    with torch.no_grad():
        for n in range(0, len(squares), TOGETHER):
            x = torch.from_numpy(numpy.array(squares[n:n + TOGETHER])).permute(0, 3, 1, 2).float()
            logit, cells = net((x - 127) / 128)
            out.append(torch.stack([logit, cells.flatten(1).amax(1)], 1))
    return torch.cat(out).numpy()


def found(scores, false_alarms):
    """The share of failures above what so many fine prints are below; each source weighs the same."""
    weight = calibrate.weights(scores)
    above = [(weight[~scores.failed & (scores.logit > t)].sum(), t) for t in scores.logit[~scores.failed]]
    threshold = min(t for share, t in above if share <= false_alarms + 1e-9)
    return weight[scores.failed & (scores.logit > threshold)].sum()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("evaluated", type=pathlib.Path)
    parser.add_argument("--state", type=pathlib.Path)
    given = parser.parse_args()
    head, *weights = export.decode(given.model.read_bytes())
    with (given.evaluated / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    judged = numpy.array([bool(row["evidence"]) for row in rows])
    shape = (len(rows), head["size"], head["size"], 3)
    squares = numpy.memmap(given.evaluated / "squares.rgb", numpy.uint8, "r", shape=shape)
    ours = answers(dequantised(*weights), squares)[judged]
    line, parts = head["calibration"], (("evidence", ""), ("strongest", "map_"))
    for n, (column, part) in enumerate(parts):
        told = numpy.array([float(row[column]) for row in rows if row["evidence"]])
        mine = numpy.clip(ours[:, n] * line[part + "scale"] + line[part + "offset"], line["least"], line["most"])
        apart = numpy.abs(told - mine)
        print(f"{column}: {len(told)} pictures, engine and PyTorch differ by {apart.max():.1e} at most, {apart.mean():.1e} on average")
    if given.state:
        floats = answers(network.trained(given.state), squares)[judged]
        apart = numpy.abs(floats[:, 0] - ours[:, 0])
        print(f"8-bit weights move the logit by {apart.mean():.3f} on average, {apart.max():.3f} at most")
        scores = calibrate.read(given.evaluated / "scores.csv")
        kept = numpy.array([calibrate.counts(row) for row in rows])[judged]
        for name, logits in (("floats", floats), ("8 bits", ours)):
            scores.logit = logits[kept, 0]
            shares = ", ".join(f"{found(scores, share):.4f} at {share:.0%}" for share in (0.01, 0.03, 0.05))
            print(f"{name}: found {shares} false alarms")


if __name__ == "__main__":
    main()
