"""Measures charimg as ratios: what each job costs against a floor or a peer, in one run."""
