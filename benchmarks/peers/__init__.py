"""Compare the posteriors of this package with those of other packages on the same mock maps.

Run ``python -m benchmarks.peers --suite MockTNG --field Mgas_T_Mcdm`` in the repository.
``--quick`` takes seconds and does not measure accuracy. All methods get the same maps, split by
simulation, and at most ``--seconds`` of processor time on one thread. Each runs in a process of its
own, whose peak memory is reported.

The methods are:

- recipes of ``conf/``: ``published``, and ``statistics`` with the heads ``diagonal`` and
  ``autoregressive``;
- neural posterior estimation of the package ``sbi`` (``pip install sbi``, tried with 0.27.0) with
  its normalizing flows ``maf`` and ``nsf``: on the statistics of the network
  ``summary_statistics``, on power spectra with one-point quantiles, and on maps with its
  convolutional embedding. Without ``sbi`` they are left out, with a message;
- functions of yours, with ``--peer module:function`` or ``--peer module:function@spectra``.
  ``function(x, theta)`` gets the rows of the training simulations and returns a function
  ``log_prob(x, theta)``. Parameters are in units of the prior range. If the returned function has
  an attribute ``sample(x, n)``, which returns draws (M, n, P), the columns that need draws are
  filled.

``sbi`` stops a training early on validation rows that it draws at random. Other maps of the same
simulations are then in the training rows. Here its density estimators are trained in a loop of this
benchmark, with the settings of ``sbi`` (Adam, 5e-4, 200 rows per batch, 20 epochs without
improvement), and the validation rows are of other simulations. Draws outside the prior are rejected
and the log-probability is divided by the accepted share, as ``sbi`` does.

The table shows the joint log-probability of the truth [nats against the uniform prior] per map with
its standard error over test simulations, the RMSE of the posterior means, the share of truths in
central 68% intervals (ideal: 68%), the p-value of TARP, processor time and peak memory.
"""
