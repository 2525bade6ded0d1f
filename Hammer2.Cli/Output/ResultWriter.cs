// The one writer: prints a VerbResult as text or as JSON and turns it into an exit code.
// Invariants: data goes to standard output, failures go to standard error (in both forms; JSON has
// them a second time under `failures`). JSON names are snake_case, nulls are left out.

using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Hammer2.Cli.Output;

/// <summary>Prints results.</summary>
internal sealed class ResultWriter(Terminal terminal, bool json)
{
    /// <summary>How every shape becomes JSON.</summary>
    public static readonly JsonSerializerOptions Shapes = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
    };

    private const int FlushEveryBytes = 1 << 16;

    /// <summary>Prints everything and returns the exit code.</summary>
    public int Write(VerbResult result)
    {
        // The first item is made before anything is written: a volume that cannot be opened leaves no half output.
        using IEnumerator<ITextShape> items = result.Items.GetEnumerator();
        bool any = items.MoveNext();
        if (json)
            WriteJson(result, items, any);
        else
            WriteText(result, items, any);
        foreach (Failure failure in result.Failures.ToList())
            terminal.Error.WriteLine("hammer2: " + failure.Line);
        int own = result.ExitCodeOfVerb();
        return own != ExitCode.Success ? own : result.Failures.Count > 0 ? ExitCode.Partial : ExitCode.Success;
    }

    private void WriteText(VerbResult result, IEnumerator<ITextShape> items, bool any)
    {
        using var output = new TextOutput(terminal.Output);
        result.Head.WriteText(output);
        for (; any; any = items.MoveNext())
        {
            terminal.Stop.ThrowIfCancellationRequested();
            items.Current.WriteText(output);
        }

        result.Tail()?.WriteText(output);
        output.Flush();
    }

    private void WriteJson(VerbResult result, IEnumerator<ITextShape> items, bool any)
    {
        // Not disposed: that would close the terminal's stream, which is not ours.
        var buffered = new BufferedStream(terminal.Output, FlushEveryBytes);
        using (var writer = new Utf8JsonWriter(buffered, new JsonWriterOptions
        {
            Encoder = Shapes.Encoder,
            Indented = terminal.OutputIsTerminal,
            SkipValidation = true,
        }))
        {
            writer.WriteStartObject();
            WriteProperties(writer, result.Head);
            if (result.ItemsName is not null)
                WriteItems(writer, buffered, result.ItemsName, items, any);
            if (result.Tail() is { } tail)
                WriteProperties(writer, tail);
            if (result.HasFailuresInJson)
            {
                writer.WritePropertyName("failures");
                JsonSerializer.Serialize(writer, result.Failures.ToList(), Shapes);
            }

            writer.WriteEndObject();
        }

        buffered.Write("\n"u8);
        buffered.Flush();
    }

    private void WriteItems(Utf8JsonWriter writer, Stream output, string name, IEnumerator<ITextShape> items, bool any)
    {
        writer.WriteStartArray(name);
        for (; any; any = items.MoveNext())
        {
            terminal.Stop.ThrowIfCancellationRequested();
            if (items.Current is Pause pause)
            {
                writer.Flush();
                output.Flush();
                pause.Action();
            }

            if (items.Current is TextLine or Pause)
                continue;
            JsonSerializer.Serialize(writer, items.Current, items.Current.GetType(), Shapes);
            if (writer.BytesPending > FlushEveryBytes)
                writer.Flush();
        }

        writer.WriteEndArray();
    }

    private static void WriteProperties(Utf8JsonWriter writer, ITextShape shape)
    {
        using JsonDocument document = JsonSerializer.SerializeToDocument(shape, shape.GetType(), Shapes);
        foreach (JsonProperty property in document.RootElement.EnumerateObject())
            property.WriteTo(writer);
    }
}
