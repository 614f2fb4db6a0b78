# The book's kernels keep no history, so that nothing is written while a notebook runs.
# They listen on loopback only; the kernel's warning about that is noise.
c = get_config()  # noqa: F821
c.HistoryManager.enabled = False
c.IPKernelApp.log_level = "ERROR"
