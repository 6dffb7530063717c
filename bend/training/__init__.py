"""`bend finetune` behind its options: the run, what looks on while it trains, which snapshots stay."""
