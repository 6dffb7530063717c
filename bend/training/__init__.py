"""The work of `bend finetune`: the run, what is done at its snapshots, and which snapshots are kept."""
