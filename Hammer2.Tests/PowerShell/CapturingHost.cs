// A host for PowerShell in the tests' process: it keeps what is written for a person, answers every question with the same
// choice, and is wide enough for every table. Invariant: nothing reaches the console of the tests.

using System.Collections.ObjectModel;
using System.Globalization;
using System.Management.Automation;
using System.Management.Automation.Host;
using System.Security;
using System.Text;
using System.Text.RegularExpressions;

namespace Hammer2.Tests.PowerShell;

/// <summary>A host that remembers.</summary>
internal sealed partial class CapturingHost : PSHost
{
    private readonly CapturingUi _ui = new();

    public override CultureInfo CurrentCulture => CultureInfo.InvariantCulture;

    public override CultureInfo CurrentUICulture { get; } = CultureInfo.InvariantCulture;

    public override Guid InstanceId { get; } = Guid.NewGuid();

    public override string Name => "Hammer2.Tests";

    public override PSHostUserInterface UI => _ui;

    public override Version Version { get; } = new(1, 0);

    /// <summary>What was written since the last call, without colours.</summary>
    public string TakeText() => Colour().Replace(_ui.TakeText(), "");

    /// <summary>Questions since the last call.</summary>
    public IReadOnlyList<string> TakeQuestions() => _ui.TakeQuestions();

    public override void EnterNestedPrompt() => throw new NotSupportedException();

    public override void ExitNestedPrompt() => throw new NotSupportedException();

    public override void NotifyBeginApplication()
    {
        // No console to hand over.
    }

    public override void NotifyEndApplication()
    {
        // As above.
    }

    public override void SetShouldExit(int exitCode) => throw new NotSupportedException();

    [GeneratedRegex(@"\x1B\[[0-9;]*m")]
    private static partial Regex Colour();

    private sealed class CapturingUi : PSHostUserInterface
    {
        private readonly StringBuilder _text = new();
        private readonly List<string> _questions = [];
        private readonly Lock _gate = new();

        public override PSHostRawUserInterface RawUI { get; } = new WideRawUi();

        public string TakeText()
        {
            lock (_gate)
            {
                string text = _text.ToString();
                _text.Clear();
                return text;
            }
        }

        public string[] TakeQuestions()
        {
            lock (_gate)
            {
                string[] taken = [.. _questions];
                _questions.Clear();
                return taken;
            }
        }

        public override void Write(string value)
        {
            lock (_gate)
                _text.Append(value);
        }

        public override void Write(ConsoleColor foregroundColor, ConsoleColor backgroundColor, string value) => Write(value);

        public override void WriteLine(string value) => Write(value + "\n");

        public override void WriteErrorLine(string value) => WriteLine("ERROR: " + value);

        public override void WriteDebugLine(string message) => WriteLine("DEBUG: " + message);

        public override void WriteVerboseLine(string message) => WriteLine("VERBOSE: " + message);

        public override void WriteWarningLine(string message) => WriteLine("WARNING: " + message);

        public override void WriteProgress(long sourceId, ProgressRecord record)
        {
            // The records are in the stream of the run.
        }

        public override int PromptForChoice(string caption, string message, Collection<ChoiceDescription> choices, int defaultChoice)
        {
            lock (_gate)
                _questions.Add(message);
            return choices.ToList().FindIndex(static choice => choice.Label.Replace("&", "", StringComparison.Ordinal) == "No");
        }

        public override string ReadLine() => throw new NotSupportedException();

        public override SecureString ReadLineAsSecureString() => throw new NotSupportedException();

        public override Dictionary<string, PSObject> Prompt(string caption, string message, Collection<FieldDescription> descriptions) =>
            throw new NotSupportedException();

        public override PSCredential PromptForCredential(string caption, string message, string userName, string targetName) =>
            throw new NotSupportedException();

        public override PSCredential PromptForCredential(
            string caption, string message, string userName, string targetName, PSCredentialTypes allowedCredentialTypes, PSCredentialUIOptions options) =>
            throw new NotSupportedException();
    }

    private sealed class WideRawUi : PSHostRawUserInterface
    {
        private const int Columns = 200;

        public override ConsoleColor BackgroundColor { get; set; }

        public override Size BufferSize { get; set; } = new(Columns, Columns);

        public override Coordinates CursorPosition { get; set; }

        public override int CursorSize { get; set; }

        public override ConsoleColor ForegroundColor { get; set; }

        public override bool KeyAvailable => false;

        public override Size MaxPhysicalWindowSize => BufferSize;

        public override Size MaxWindowSize => BufferSize;

        public override Coordinates WindowPosition { get; set; }

        public override Size WindowSize { get; set; } = new(Columns, Columns);

        public override string WindowTitle { get; set; } = "";

        public override void FlushInputBuffer()
        {
            // There is no input.
        }

        public override BufferCell[,] GetBufferContents(Rectangle rectangle) => throw new NotSupportedException();

        public override KeyInfo ReadKey(ReadKeyOptions options) => throw new NotSupportedException();

        public override void ScrollBufferContents(Rectangle source, Coordinates destination, Rectangle clip, BufferCell fill) =>
            throw new NotSupportedException();

        public override void SetBufferContents(Coordinates origin, BufferCell[,] contents) => throw new NotSupportedException();

        public override void SetBufferContents(Rectangle rectangle, BufferCell fill) => throw new NotSupportedException();
    }
}
