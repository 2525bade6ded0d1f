// Micro-benchmarks of the engine. End-to-end figures are measured by docs/benchmarks/reading.sh.
//   dotnet run -c Release --project Hammer2.Benchmarks -- --filter '*'

using BenchmarkDotNet.Running;

BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
