"""Averages runs weight by weight: average.py OUT.pt RUN.pt RUN.pt... Runs that began with the same weights lie near enough."""
import sys

import torch

import network


def average(states):
    """Of floats the mean; what is counted must be the same in all."""
    mean = {}
    for name, value in states[0].items():
        if any(state[name].shape != value.shape for state in states):
            raise ValueError(f"{name} has another shape in one of them")
        floats = value.is_floating_point()
        mean[name] = torch.stack([state[name].float() for state in states]).mean(0) if floats else value
    return mean


def main():
    out, *runs = sys.argv[1:]
    if not runs:
        raise SystemExit(__doc__)
    torch.save(network.halves(average([torch.load(run, map_location="cpu") for run in runs])), out)


if __name__ == "__main__":
    main()
