// `hammer2 service`: keeps saved mounts mounted (run), and registers that with Windows (install, uninstall, status). Under systemd the
// unit of the package runs it. Invariants: stopping returns when every mount has written its last commit; registering changes
// nothing but the service's own entry. Calls Microsoft.Extensions.Hosting and sc.exe.

using System.CommandLine;
using Hammer2.Cli.Output;
using Hammer2.Cli.Saved;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Hammer2.Cli.Verbs;

/// <summary>The service.</summary>
internal static class ServiceVerb
{
    private const string Name = WindowsService.Name;
    private static readonly TimeSpan s_stopLimit = TimeSpan.FromMinutes(5);

    public static VerbCommand Create()
    {
        var action = new Argument<string>("run|install|uninstall|status") { Description = "What to do." };
        action.AcceptOnlyFromAmong("run", "install", "uninstall", "status");
        var system = new Option<bool>("--system") { Description = "run: the saved mounts of the machine, not of this user." };
        return new VerbCommand(
            "service",
            "Keep saved mounts mounted; on Windows also as a service.",
            "hammer2 service run",
            "hammer2 service install",
            "hammer2 service status --json")
        {
            action, system,
        }.RunsRaw((context, parsed) =>
        {
            string what = parsed.GetRequiredValue(action);
            if (what == "run")
                return Run(context, parsed.GetValue(system));
            if (!OperatingSystem.IsWindows())
                throw CliException.Usage($"service {what} is for Windows; here systemd does it: systemctl {(what == "install" ? "enable --now" : what == "uninstall" ? "disable --now" : what)} hammer2");
            return what switch
            {
                "install" => Install(context),
                "uninstall" => Uninstall(context),
                _ => context.Results.Write(VerbResult.Of(new ServiceShape(Name, WindowsService.State()))),
            };
        });
    }

    private static int Run(VerbContext context, bool system)
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Services.AddWindowsService(static options => options.ServiceName = Name);
        builder.Services.AddSystemd();
        builder.Services.Configure<HostOptions>(static options => options.ShutdownTimeout = s_stopLimit);
        builder.Services.AddHostedService(_ => new MountSupervisor(SavedMounts.Of(system), context.MountHost, context.Logger));
        using IHost host = builder.Build();
        context.Logger.LogInformation("the service runs; saved mounts are in {Folder}", SettingsFolder.Of(system).Path);
        host.RunAsync(context.Stop).GetAwaiter().GetResult();
        context.Logger.LogInformation("the service has ended");
        return ExitCode.Success;
    }

    private static int Install(VerbContext context)
    {
        string program = Environment.ProcessPath ?? throw new IOException("the path of this program is unknown");
        string command = $"\"{program}\" service run --system";
        bool exists = WindowsService.State() is not null;
        Control(exists ? "config" : "create", Name, "binPath=", command, "start=", "auto", "DisplayName=", "HAMMER2 saved mounts");
        Control("description", Name, "Mounts what 'hammer2 mount --save --system' stored.");
        Control("failure", Name, "reset=", "86400", "actions=", "restart/5000/restart/30000/restart/60000");
        Control("start", Name);
        return context.Results.Write(VerbResult.Of(new ServiceShape(Name, WindowsService.State())));
    }

    private static int Uninstall(VerbContext context)
    {
        if (WindowsService.State() is not { } state)
            return context.Results.Write(VerbResult.Of(new ServiceShape(Name, null)));
        if (state != "stopped")
        {
            Control("stop", Name);
            DateTime end = DateTime.UtcNow + s_stopLimit;
            while (WindowsService.State() is not ("stopped" or null))
            {
                if (DateTime.UtcNow >= end || context.Stop.WaitHandle.WaitOne(TimeSpan.FromMilliseconds(200)))
                    throw new CliException(ExitCode.Partial, "the service is still ending its mounts; try again when it has");
            }
        }

        Control("delete", Name);
        return context.Results.Write(VerbResult.Of(new ServiceShape(Name, null)));
    }

    private static void Control(params string[] arguments)
    {
        var (code, text) = WindowsService.Ask(arguments);
        if (code != 0)
            throw new CliException(ExitCode.Partial, $"sc.exe {arguments[0]} failed with code {code} (a terminal of an administrator is needed): {text.Trim().ReplaceLineEndings(" ")}");
    }
}

/// <summary>The service's state.</summary>
internal sealed record ServiceShape(string Name, string? State) : ITextShape
{
    public void WriteText(TextOutput output) => output.Line($"{Name}: {State ?? "not installed"}");
}
