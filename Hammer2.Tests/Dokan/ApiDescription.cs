// Describes the public surface of an assembly in the notation of dokannet-api.txt: one line a type or member.
// Invariant: for the same surface the lines are equal to those of the list, character by character. Calls reflection only.

using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.Versioning;

namespace Hammer2.Tests.Dokan;

/// <summary>The lines of an assembly.</summary>
internal static class ApiDescription
{
    private const BindingFlags Declared =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    private static readonly NullabilityInfoContext s_nullability = new();

    private static readonly Dictionary<Type, string> s_keywords = new()
    {
        [typeof(void)] = "void",
        [typeof(bool)] = "bool",
        [typeof(byte)] = "byte",
        [typeof(char)] = "char",
        [typeof(int)] = "int",
        [typeof(uint)] = "uint",
        [typeof(long)] = "long",
        [typeof(ulong)] = "ulong",
        [typeof(short)] = "short",
        [typeof(ushort)] = "ushort",
        [typeof(string)] = "string",
        [typeof(object)] = "object",
        [typeof(nint)] = "nint",
    };

    internal static List<string> Of(Assembly assembly) =>
        [.. assembly.GetExportedTypes().SelectMany(Of).Order(StringComparer.Ordinal)];

    internal static IEnumerable<string> Of(Type type)
    {
        yield return $"T {Qualified(type)} : {KindOf(type)}{Platform(type)}";
        if (typeof(Delegate).IsAssignableFrom(type))
            yield break;
        if (type.IsEnum)
        {
            foreach (string name in Enum.GetNames(type))
                yield return EnumMember(type, name);
            yield break;
        }

        foreach (ConstructorInfo constructor in type.GetConstructors(Declared))
        {
            if (constructor.IsPublic || constructor.IsFamily)
                yield return $"M {Qualified(type)}.ctor({Parameters(constructor)})";
        }

        foreach (MethodInfo method in type.GetMethods(Declared))
        {
            if ((method.IsPublic || method.IsFamily) && (!method.IsSpecialName || method.Name.StartsWith("op_", StringComparison.Ordinal)))
                yield return Describe(type, method);
        }

        foreach (PropertyInfo property in type.GetProperties(Declared))
        {
            if (property.GetMethod is { IsPublic: true })
                yield return Describe(type, property);
        }
    }

    private static string EnumMember(Type type, string name)
    {
        object value = Convert.ChangeType(Enum.Parse(type, name), Enum.GetUnderlyingType(type), CultureInfo.InvariantCulture);
        string hex = value switch
        {
            int number => "0x" + ((uint)number).ToString("x8", CultureInfo.InvariantCulture),
            IFormattable number => "0x" + number.ToString("x", CultureInfo.InvariantCulture),
            _ => throw new InvalidOperationException($"{type} has an unexpected base"),
        };
        return string.Create(CultureInfo.InvariantCulture, $"M {Qualified(type)}.{name} = {value} ({hex})");
    }

    private static string Describe(Type type, MethodInfo method)
    {
        string modifiers = (method.IsFamily ? "protected " : "") + (method.IsStatic ? "static " : "");
        return $"M {Qualified(type)}.{method.Name}({Parameters(method)}) : {modifiers}"
            + $"{Name(method.ReturnType)}{Question(s_nullability.Create(method.ReturnParameter))}{Platform(method)}";
    }

    private static string Describe(Type type, PropertyInfo property)
    {
        string set = property.SetMethod is { IsPublic: true } ? " set;" : "";
        return $"P {Qualified(type)}.{property.Name} : {Name(property.PropertyType)}{Question(s_nullability.Create(property))} {{ get;{set} }}";
    }

    private static string Parameters(MethodBase method)
    {
        bool extension = method.IsDefined(typeof(ExtensionAttribute));
        return string.Join(", ", method.GetParameters().Select((parameter, index) =>
            (extension && index == 0 ? "this " : "") + Describe(parameter)));
    }

    private static string Describe(ParameterInfo parameter)
    {
        Type type = parameter.ParameterType;
        string direction = parameter.IsDefined(typeof(ParamArrayAttribute)) ? "params " : "";
        if (type.IsByRef)
        {
            direction = parameter.IsOut ? "out " : "ref ";
            type = type.GetElementType()!;
        }

        string text = $"{direction}{Name(type)}{Question(s_nullability.Create(parameter))} {parameter.Name}";
        if (!parameter.HasDefaultValue)
            return text;
        return text + " = " + (parameter.DefaultValue switch
        {
            null => "null",
            string given => $"\"{given}\"",
            bool given => given ? "true" : "false",
            object given => Convert.ToString(given, CultureInfo.InvariantCulture),
        });
    }

    private static string Question(NullabilityInfo info) =>
        !info.Type.IsValueType && info.ReadState == NullabilityState.Nullable ? "?" : "";

    private static string KindOf(Type type)
    {
        if (typeof(Delegate).IsAssignableFrom(type))
        {
            MethodInfo invoke = type.GetMethod("Invoke")!;
            return $"delegate {Name(invoke.ReturnType)} ({Parameters(invoke)})";
        }

        if (type.IsEnum)
            return $"enum : {Name(Enum.GetUnderlyingType(type))}{(type.IsDefined(typeof(FlagsAttribute)) ? " [Flags]" : "")}";
        string kind = type switch
        {
            { IsInterface: true } => "interface",
            { IsValueType: true } => (type.IsDefined(typeof(IsReadOnlyAttribute)) ? "readonly " : "") + "struct",
            { IsAbstract: true, IsSealed: true } => "static class",
            { IsSealed: true } => "sealed class",
            _ => "class",
        };
        var bases = new List<string>();
        if (type.BaseType is { } parent && parent != typeof(object) && parent != typeof(ValueType))
            bases.Add(Name(parent));
        bases.AddRange(type.GetInterfaces().Select(Name).Order(StringComparer.Ordinal));
        string constraints = string.Concat(type.GetGenericArguments().Select(argument => $" where {argument.Name} : unmanaged"));
        return kind + (bases.Count > 0 ? " : " + string.Join(", ", bases) : "") + constraints;
    }

    private static string Platform(MemberInfo member) =>
        string.Concat(member.GetCustomAttributes<SupportedOSPlatformAttribute>().Select(a => $" [SupportedOSPlatform({a.PlatformName})]"));

    private static string Qualified(Type type)
    {
        string name = (type.FullName ?? type.Name).Replace('+', '.');
        int tick = name.IndexOf('`', StringComparison.Ordinal);
        return tick < 0 ? name : $"{name[..tick]}<{string.Join(", ", type.GetGenericArguments().Select(a => a.Name))}>";
    }

    private static string Name(Type type)
    {
        if (s_keywords.TryGetValue(type, out string? keyword))
            return keyword;
        if (type.IsArray)
            return Name(type.GetElementType()!) + "[]";
        if (Nullable.GetUnderlyingType(type) is { } inner)
            return Name(inner) + "?";
        string own = type.Name;
        int tick = own.IndexOf('`', StringComparison.Ordinal);
        if (tick >= 0)
            own = $"{own[..tick]}<{string.Join(", ", type.GetGenericArguments().Select(Name))}>";
        return type.IsNested && !type.IsGenericParameter ? $"{Name(type.DeclaringType!)}.{own}" : own;
    }
}
