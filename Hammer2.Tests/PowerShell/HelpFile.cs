// The help file of the module, made of what the assembly says: names, parameter sets and types by reflection, sentences and examples from the
// comments that the compiler wrote into the documentation file. Invariant: the same assembly gives the same text, so that a test can compare it.

using System.Management.Automation;
using System.Reflection;
using System.Xml.Linq;

namespace Hammer2.Tests.PowerShell;

/// <summary>Makes help in the form that Get-Help reads (MAML).</summary>
internal static class HelpFile
{
    private static readonly XNamespace s_commands = "http://schemas.microsoft.com/maml/dev/command/2004/10";
    private static readonly XNamespace s_maml = "http://schemas.microsoft.com/maml/2004/10";
    private static readonly XNamespace s_dev = "http://schemas.microsoft.com/maml/dev/2004/10";

    /// <summary>The commands of an assembly, by name.</summary>
    public static IEnumerable<Type> Commands(Assembly module) => module.GetTypes()
        .Where(static type => type.GetCustomAttribute<CmdletAttribute>() is not null).OrderBy(NameOf, StringComparer.Ordinal);

    /// <summary>Verb and noun.</summary>
    public static string NameOf(Type command)
    {
        CmdletAttribute name = command.GetCustomAttribute<CmdletAttribute>()!;
        return $"{name.VerbName}-{name.NounName}";
    }

    /// <summary>Parameters in their order on the line.</summary>
    public static IEnumerable<PropertyInfo> Parameters(Type command) => command.GetProperties()
        .Where(static property => property.IsDefined(typeof(ParameterAttribute)))
        .OrderBy(static property => Position(property.GetCustomAttributes<ParameterAttribute>().First()) ?? int.MaxValue)
        .ThenBy(static property => property.Name, StringComparer.Ordinal);

    /// <summary>The whole file.</summary>
    public static string Of(Assembly module, XDocument comments)
    {
        Dictionary<string, XElement> members = comments.Descendants("member").ToDictionary(static member => member.Attribute("name")!.Value);
        var root = new XElement(
            "helpItems", new XAttribute("schema", "maml"), Commands(module).Select(command => CommandElement(command, members)));
        return "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<!-- Made of the comments in the sources; a test compares them and says how to renew it. -->\n"
            + root.ToString().ReplaceLineEndings("\n") + "\n";
    }

    private static XElement CommandElement(Type command, Dictionary<string, XElement> members)
    {
        XElement comment = members[$"T:{command.FullName}"];
        CmdletAttribute name = command.GetCustomAttribute<CmdletAttribute>()!;
        string synopsis = TextOf(comment.Element("summary"));
        return new XElement(
            s_commands + "command",
            new XAttribute(XNamespace.Xmlns + "maml", s_maml),
            new XAttribute(XNamespace.Xmlns + "command", s_commands),
            new XAttribute(XNamespace.Xmlns + "dev", s_dev),
            new XElement(
                s_commands + "details",
                new XElement(s_commands + "name", NameOf(command)),
                new XElement(s_commands + "verb", name.VerbName),
                new XElement(s_commands + "noun", name.NounName),
                new XElement(s_maml + "description", Para(synopsis))),
            new XElement(s_maml + "description", Para(synopsis)),
            new XElement(s_commands + "syntax", Sets(command).Select(set => Syntax(command, set, members))),
            new XElement(s_commands + "parameters", Parameters(command).Select(property => Parameter(property, null, members)), Asking(command)),
            new XElement(s_commands + "inputTypes"),
            new XElement(
                s_commands + "returnValues",
                command.GetCustomAttributes<OutputTypeAttribute>().SelectMany(static output => output.Type).Select(static type => new XElement(
                    s_commands + "returnValue", new XElement(s_dev + "type", new XElement(s_maml + "name", type.Name))))),
            new XElement(s_commands + "examples", comment.Elements("example").Select(Example)));
    }

    private static XElement Example(XElement example, int index) => new(
        s_commands + "example",
        new XElement(s_maml + "title", $"Example {index + 1}"),
        new XElement(s_dev + "code", example.Element("code")!.Value),
        new XElement(s_dev + "remarks", Para(TextOf(example.Element("para")))));

    private static string?[] Sets(Type command)
    {
        string[] named = [.. Parameters(command).SelectMany(static property => property.GetCustomAttributes<ParameterAttribute>())
            .Select(static parameter => parameter.ParameterSetName).Where(static set => set != ParameterAttribute.AllParameterSets).Distinct()];
        return named.Length == 0 ? new string?[1] : named;
    }

    private static XElement Syntax(Type command, string? set, Dictionary<string, XElement> members) => new(
        s_commands + "syntaxItem",
        new XElement(s_maml + "name", NameOf(command)),
        Parameters(command).Where(property => In(property, set) is not null).Select(property => Parameter(property, set, members)),
        Asking(command));

    // What PowerShell adds to every command that changes something; the help file has to name it too.
    private static IEnumerable<XElement> Asking(Type command)
    {
        (string Name, string Text)[] added = [("WhatIf", "Says what would be done, and does nothing."), ("Confirm", "Asks before it does anything.")];
        return command.GetCustomAttribute<CmdletAttribute>()!.SupportsShouldProcess
            ? added.Select(static one => new XElement(
                s_commands + "parameter",
                new XAttribute("required", "false"),
                new XAttribute("globbing", "false"),
                new XAttribute("pipelineInput", "false"),
                new XAttribute("position", "named"),
                new XElement(s_maml + "name", one.Name),
                new XElement(s_maml + "description", Para(one.Text)),
                new XElement(s_dev + "type", new XElement(s_maml + "name", "SwitchParameter"))))
            : [];
    }

    private static ParameterAttribute? In(PropertyInfo property, string? set) => property.GetCustomAttributes<ParameterAttribute>()
        .FirstOrDefault(parameter => set is null || parameter.ParameterSetName == set || parameter.ParameterSetName == ParameterAttribute.AllParameterSets);

    private static XElement Parameter(PropertyInfo property, string? set, Dictionary<string, XElement> members)
    {
        ParameterAttribute parameter = In(property, set)!;
        Type type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        bool isSwitch = type == typeof(SwitchParameter);
        string typeName = isSwitch ? "SwitchParameter" : type.Name;
        string input = (parameter.ValueFromPipeline, parameter.ValueFromPipelineByPropertyName) switch
        {
            (true, true) => "true (ByValue, ByPropertyName)",
            (true, false) => "true (ByValue)",
            (false, true) => "true (ByPropertyName)",
            _ => "false",
        };
        return new XElement(
            s_commands + "parameter",
            new XAttribute("required", parameter.Mandatory ? "true" : "false"),
            new XAttribute("globbing", property.IsDefined(typeof(SupportsWildcardsAttribute)) ? "true" : "false"),
            new XAttribute("pipelineInput", input),
            new XAttribute("position", Position(parameter) is { } position ? $"{position}" : "named"),
            new XElement(s_maml + "name", property.Name),
            new XElement(s_maml + "description", Para(TextOf(members[$"P:{property.DeclaringType!.FullName}.{property.Name}"].Element("summary")))),
            isSwitch && set is not null
                ? null
                : new XElement(s_commands + "parameterValue", new XAttribute("required", isSwitch ? "false" : "true"), typeName),
            new XElement(s_dev + "type", new XElement(s_maml + "name", typeName)));
    }

    private static int? Position(ParameterAttribute parameter) => parameter.Position == int.MinValue ? null : parameter.Position;

    private static XElement Para(string text) => new(s_maml + "para", text);

    private static string TextOf(XElement? element) =>
        string.Join(' ', (element?.Value ?? "").Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
}
