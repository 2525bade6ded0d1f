// The public members of the engine as a committed list, so that a change of what others compile against is seen in review.
// HAMMER2_WRITE_PUBLIC_API=1 rewrites the list instead of comparing. Invariant: the list depends on the assembly alone, not on
// the order of reflection.

using System.Globalization;
using System.Reflection;
using System.Text;
using Hammer2.Engine.Volumes;

namespace Hammer2.Tests.Packaging;

[TestClass]
public class PublicApiTests
{
    private const BindingFlags Declared =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    private static readonly NullabilityInfoContext s_nullability = new();

    [TestMethod]
    public void Public_members_of_the_engine_are_the_recorded_ones()
    {
        string path = Path.Combine(Repository.Root, "Hammer2.Engine", "PublicApi.txt");
        string[] now = [.. Lines(typeof(Hammer2Volume).Assembly)];
        if (Environment.GetEnvironmentVariable("HAMMER2_WRITE_PUBLIC_API") == "1")
            File.WriteAllText(path, string.Join('\n', now) + "\n");
        string[] recorded = File.ReadAllText(path).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        string[] changes = [.. recorded.Except(now).Select(static line => "- " + line), .. now.Except(recorded).Select(static line => "+ " + line)];
        Assert.AreEqual(0, changes.Length,
            "The public members changed. If that is meant, run the tests named PublicApi with HAMMER2_WRITE_PUBLIC_API=1 and commit the list.\n"
            + string.Join('\n', changes.Take(40)));
        Assert.IsGreaterThan(100, recorded.Length);
    }

    [TestMethod]
    public void The_list_sees_a_new_member_a_lost_one_and_a_changed_type()
    {
        string[] lines = [.. Lines(typeof(Hammer2Volume).Assembly)];
        CollectionAssert.Contains(lines, "Hammer2.Engine.Volumes.Hammer2Volume.Sync() -> void");
        CollectionAssert.Contains(lines, "Hammer2.Engine.Volumes.Hammer2Volume.Failure { get; } -> Hammer2Exception?");
        Assert.IsFalse(lines.Any(static line => line.Contains("Hammer2Volume.Writer", StringComparison.Ordinal)), "internal members do not belong there");
        Assert.AreEqual(lines.Length, lines.Distinct().Count(), "two members with one line could hide each other");
    }

    private static IEnumerable<string> Lines(Assembly assembly) => assembly.GetExportedTypes()
        .SelectMany(static type => Members(type).Prepend(Heading(type)))
        .Order(StringComparer.Ordinal);

    private static string Heading(Type type)
    {
        string kind = type.IsEnum ? "enum" : type.IsInterface ? "interface" : type.IsValueType ? "struct"
            : type is { IsAbstract: true, IsSealed: true } ? "static class" : type.IsAbstract ? "abstract class" : type.IsSealed ? "sealed class" : "class";
        IEnumerable<string> bases = type.IsEnum ? [Name(Enum.GetUnderlyingType(type))]
            : (type.BaseType is { } parent && parent != typeof(object) && parent != typeof(ValueType) ? new[] { parent } : [])
                .Concat(type.GetInterfaces().Where(static i => i.IsPublic)).Select(Name).Order(StringComparer.Ordinal);
        return $"{Full(type)} : {kind}{string.Concat(bases.Select(static b => ", " + b))}";
    }

    private static IEnumerable<string> Members(Type type) => type.GetMembers(Declared).Where(IsVisible).Select(member => $"{Full(type)}.{Text(member)}");

    private static bool IsVisible(MemberInfo member) => member switch
    {
        MethodBase { IsSpecialName: true, IsConstructor: false } method => IsVisible(method) && method.Name.StartsWith("op_", StringComparison.Ordinal),
        MethodBase method => IsVisible(method) && !method.Name.Contains('<', StringComparison.Ordinal),
        FieldInfo field => (field.IsPublic || field.IsFamily || field.IsFamilyOrAssembly) && !field.IsSpecialName,
        PropertyInfo property => property.GetAccessors(nonPublic: true).Any(IsVisible),
        EventInfo happening => happening.AddMethod is { } add && IsVisible(add),
        _ => false,
    };

    private static bool IsVisible(MethodBase method) => method.IsPublic || method.IsFamily || method.IsFamilyOrAssembly;

    private static string Text(MemberInfo member) => member switch
    {
        ConstructorInfo constructor => $"new({Parameters(constructor.GetParameters())})",
        MethodInfo method => $"{(method.IsStatic ? "static " : "")}{method.Name}{Generic(method)}({Parameters(method.GetParameters())}) -> {Nullable(s_nullability.Create(method.ReturnParameter), method.ReturnType)}",
        PropertyInfo property => PropertyText(property),
        FieldInfo { IsLiteral: true } constant => $"const {constant.Name} = {Convert.ToString(constant.GetRawConstantValue(), CultureInfo.InvariantCulture)}",
        FieldInfo field => $"{(field.IsStatic ? "static " : "")}{(field.IsInitOnly ? "readonly " : "")}{field.Name} -> {Nullable(s_nullability.Create(field), field.FieldType)}",
        EventInfo happening => $"event {happening.Name} -> {Name(happening.EventHandlerType!)}",
        _ => member.ToString()!,
    };

    private static string PropertyText(PropertyInfo property)
    {
        ParameterInfo[] index = property.GetIndexParameters();
        var text = new StringBuilder(property.GetAccessors(nonPublic: true)[0].IsStatic ? "static " : "").Append(property.Name);
        if (index.Length > 0)
            text.Append('[').Append(Parameters(index)).Append(']');
        text.Append(" {");
        if (property.GetMethod is { } get && IsVisible(get))
            text.Append(" get;");
        if (property.SetMethod is { } set && IsVisible(set))
            text.Append(set.ReturnParameter.GetRequiredCustomModifiers().Any(static m => m.Name == "IsExternalInit") ? " init;" : " set;");
        return text.Append(" } -> ").Append(Nullable(s_nullability.Create(property), property.PropertyType)).ToString();
    }

    private static string Parameters(ParameterInfo[] parameters) => string.Join(", ", parameters.Select(static parameter =>
        (parameter.IsOut ? "out " : parameter.IsIn ? "in " : parameter.ParameterType.IsByRef ? "ref " : "")
        + Nullable(s_nullability.Create(parameter), parameter.ParameterType) + " " + parameter.Name + (parameter.IsOptional ? " = " + (Convert.ToString(parameter.RawDefaultValue, CultureInfo.InvariantCulture) is { Length: > 0 } value ? value : "default") : "")));

    private static string Generic(MethodInfo method) => method.IsGenericMethod ? "<" + string.Join(", ", method.GetGenericArguments().Select(Name)) + ">" : "";

    private static string Nullable(NullabilityInfo info, Type type)
    {
        bool reference = !(type.IsByRef ? type.GetElementType()! : type).IsValueType;
        return Name(type) + (reference && info.ReadState == NullabilityState.Nullable ? "?" : "");
    }

    private static string Full(Type type) => $"{type.Namespace}.{(type.DeclaringType is { } outer ? Name(outer) + "." : "")}{Name(type)}";

    private static string Name(Type type)
    {
        if (type.IsByRef)
            return Name(type.GetElementType()!);
        if (type.IsArray)
            return Name(type.GetElementType()!) + "[]";
        if (System.Nullable.GetUnderlyingType(type) is { } value)
            return Name(value) + "?";
        if (type.IsGenericType)
            return type.Name.Split('`')[0] + "<" + string.Join(", ", type.GetGenericArguments().Select(Name)) + ">";
        return type == typeof(void) ? "void" : type.Name;
    }
}
