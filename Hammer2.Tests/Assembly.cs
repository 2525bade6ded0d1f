// Settings of the whole test run: classes run side by side, since images are shared and never written.

[assembly: Parallelize(Scope = ExecutionScope.ClassLevel)]
