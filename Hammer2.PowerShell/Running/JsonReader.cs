// Reads the one JSON object that a run of the program prints, while it is printed: the items of its long array are handed out as they
// come. Invariants: no recursion beyond the depth limit; what is no JSON, or ends early, is a FormatException. Calls nothing.

using System.Globalization;
using System.Text;

namespace Hammer2.PowerShell.Running;

/// <summary>A reader of JSON.</summary>
/// <param name="text">What to read.</param>
internal sealed class JsonReader(TextReader text)
{
    private const int DepthMax = 64;
    private const int End = -1;
    private const int NotLooked = -2;

    // TextReader's own Peek says "end" for a pipe that has nothing at the moment.
    private int _next = NotLooked;

    /// <summary>Reads an object from a line.</summary>
    public static JsonObject? Parse(string line)
    {
        using var reader = new StringReader(line);
        return new JsonReader(reader).ReadAnswer(null, null);
    }

    /// <summary>Reads the next object; null at the end.</summary>
    /// <param name="streamed">Name of the array whose objects are handed out and not kept; null for none.</param>
    /// <param name="item">Takes them.</param>
    public JsonObject? ReadAnswer(string? streamed, Action<JsonObject>? item)
    {
        SkipSpace();
        if (Peek() == End)
            return null;
        return ReadObject(0, streamed, item);
    }

    private JsonObject ReadObject(int depth, string? streamed = null, Action<JsonObject>? item = null)
    {
        var read = new JsonObject();
        Expect('{');
        if (Accept('}'))
            return read;
        do
        {
            SkipSpace();
            string name = ReadString();
            Expect(':');
            if (item is not null && name == streamed)
                ReadItems(depth + 1, item);
            else if (ReadValue(depth + 1) is { } value)
                read[name] = value;
        }
        while (Accept(','));
        Expect('}');
        return read;
    }

    private void ReadItems(int depth, Action<JsonObject> item)
    {
        Expect('[');
        if (Accept(']'))
            return;
        do
        {
            SkipSpace();
            item(ReadObject(depth));
        }
        while (Accept(','));
        Expect(']');
    }

    private List<object?> ReadArray(int depth)
    {
        var read = new List<object?>();
        Expect('[');
        if (Accept(']'))
            return read;
        do
            read.Add(ReadValue(depth + 1));
        while (Accept(','));
        Expect(']');
        return read;
    }

    private object? ReadValue(int depth)
    {
        if (depth > DepthMax)
            throw new FormatException("JSON is nested too deeply");
        SkipSpace();
        return Peek() switch
        {
            '{' => ReadObject(depth),
            '[' => ReadArray(depth),
            '"' => ReadString(),
            't' => ReadWord("true", true),
            'f' => ReadWord("false", false),
            'n' => ReadWord("null", null),
            _ => ReadNumber(),
        };
    }

    private object? ReadWord(string word, object? value)
    {
        foreach (char expected in word)
        {
            if (Next() != expected)
                throw new FormatException($"'{word}' was expected");
        }

        return value;
    }

    private object ReadNumber()
    {
        var digits = new StringBuilder();
        while (Peek() is (>= '0' and <= '9') or '-' or '+' or '.' or 'e' or 'E')
            digits.Append((char)Next());
        string number = digits.ToString();
        if (long.TryParse(number, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long whole))
            return whole;
        if (double.TryParse(number, NumberStyles.Float, CultureInfo.InvariantCulture, out double other))
            return other;
        throw new FormatException($"'{number}' is no number");
    }

    private string ReadString()
    {
        if (Next() != '"')
            throw new FormatException("a string was expected");
        var read = new StringBuilder();
        while (true)
        {
            int one = Next();
            if (one == '"')
                return read.ToString();
            if (one == End)
                throw new FormatException("a string has no end");
            read.Append(one == '\\' ? ReadEscape() : (char)one);
        }
    }

    private char ReadEscape()
    {
        int one = Next();
        return one switch
        {
            'b' => '\b',
            'f' => '\f',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => ReadHex(),
            '"' or '\\' or '/' => (char)one,
            _ => throw new FormatException("a string has an unknown escape"),
        };
    }

    private char ReadHex()
    {
        var digits = new char[4];
        for (int at = 0; at < digits.Length; at++)
            digits[at] = Next() is var one and not End ? (char)one : ' ';
        if (ushort.TryParse(new string(digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ushort value))
            return (char)value;
        throw new FormatException("a string has a wrong escape");
    }

    private int Peek() => _next == NotLooked ? _next = text.Read() : _next;

    private int Next()
    {
        int one = Peek();
        _next = NotLooked;
        return one;
    }

    private void Expect(char wanted)
    {
        if (!Accept(wanted))
            throw new FormatException($"'{wanted}' was expected");
    }

    private bool Accept(char wanted)
    {
        SkipSpace();
        if (Peek() != wanted)
            return false;
        Next();
        return true;
    }

    private void SkipSpace()
    {
        while (Peek() is ' ' or '\t' or '\r' or '\n')
            Next();
    }
}
