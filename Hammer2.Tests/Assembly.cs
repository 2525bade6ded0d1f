// Settings of the whole test run: classes run side by side, since images are shared and never written.
// A class that measures allocations or load says itself that it wants to be alone.

[assembly: Parallelize(Scope = ExecutionScope.ClassLevel)]
