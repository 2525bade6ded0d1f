// Micro-benchmarks of the engine, and a way to unpack the golden images they run on.
//   dotnet run -c Release --project Hammer2.Benchmarks -- --filter '*'
//   dotnet run -c Release --project Hammer2.Benchmarks -- callbacks [PART OF A NAME]
//   dotnet run --project Hammer2.Benchmarks -- unpack NAME FILE

using BenchmarkDotNet.Running;
using Hammer2.Benchmarks;

if (args is ["unpack", string name, string file])
    File.Move(BenchmarkImages.Unpack(name), file);
else if (args is ["callbacks", .. string[] rest])
#pragma warning disable CA1416 // The attribute is that of the driver's library; the adapter itself runs everywhere.
    CallbackTable.Print(rest.FirstOrDefault(""));
#pragma warning restore CA1416
else
    BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
