using System.Text.RegularExpressions;
using PostTrain.Data;

namespace PostTrain.Refinement.Instructions;

/// <summary>Reads instances out of completions: inputs with their outputs, or class labels with their inputs.</summary>
internal static class InstanceText
{
    private const int MaxCharacters = 1 << 18;
    private const RegexOptions Options =
        RegexOptions.Multiline | RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.NonBacktracking;

    private static readonly Regex Marks = new(
        @"^[ \t]*[#>*_]*[ \t]*(?<kind>example|input|output)[ \t]*[0-9]{0,4}[ \t]*(?<end>[*_]*[:.]?[*_]*)",
        Options
    );
    private static readonly Regex Label = new(@"^[ \t]*[#>*_]*[ \t]*class[ \t]+label[ \t]*[0-9]{0,4}[ \t]*[*_]*:[*_]*", Options);
    private static readonly Regex Input = new(@"^[ \t]*[*_]*input[ \t]*[0-9]{0,4}[ \t]*[*_]*:[*_]*", Options);

    /// <summary>What stands before each <c>Output:</c> is the input, with a name of its own or none; an instance ends at the next
    /// <c>Example</c>, or <c>Input:</c>, or <c>Output:</c>.</summary>
    /// <param name="text">The completion.</param>
    /// <param name="finished">Whether it was written to its end; else the last instance is left out.</param>
    /// <param name="most">The most instances.</param>
    internal static IReadOnlyList<InstructionInstance> InputFirst(string text, bool finished, int most)
    {
        if (text.Length > MaxCharacters)
            (text, finished) = (text[..MaxCharacters], false);
        var instances = new List<InstructionInstance>();
        var marks = Marks.Matches(text).Where(IsMark).ToArray();
        string input = marks.Length == 0 ? "" : text[..marks[0].Index];
        string? output = null;
        for (int i = 0; i < marks.Length && instances.Count <= most; i++)
        {
            string part = text[(marks[i].Index + marks[i].Length)..(i + 1 < marks.Length ? marks[i + 1].Index : text.Length)];
            switch (marks[i].Groups["kind"].Value.ToUpperInvariant())
            {
                case "OUTPUT" when output is null:
                    output = part;
                    break;
                case "OUTPUT":
                    End();
                    output = part;
                    break;
                default:
                    End();
                    input = part;
                    break;
            }
        }
        bool last = output is not null && instances.Count <= most;
        if (last && finished)
            End();
        return instances.Count > most ? instances[..most] : instances;

        void End()
        {
            if (output is not null)
                instances.Add(new InstructionInstance(input.Trim(), output.Trim()));
            (input, output) = ("", null);
        }
    }

    /// <summary>The line of each <c>Class label:</c> is the output, what follows up to the next one the input.</summary>
    /// <inheritdoc cref="InputFirst"/>
    internal static IReadOnlyList<InstructionInstance> OutputFirst(string text, bool finished, int most)
    {
        if (text.Length > MaxCharacters)
            (text, finished) = (text[..MaxCharacters], false);
        var marks = Label.Matches(text).ToArray();
        int count = Math.Min(finished ? marks.Length : marks.Length - 1, most);
        var instances = new List<InstructionInstance>();
        for (int i = 0; i < count; i++)
        {
            string part = text[(marks[i].Index + marks[i].Length)..(i + 1 < marks.Length ? marks[i + 1].Index : text.Length)].Trim();
            int line = part.IndexOf('\n', StringComparison.Ordinal);
            string input = line < 0 ? "" : part[(line + 1)..].Trim();
            var name = Input.Match(input);
            instances.Add(
                new InstructionInstance(
                    name.Success && name.Index == 0 ? input[name.Length..].Trim() : input,
                    (line < 0 ? part : part[..line]).Trim()
                )
            );
        }
        return instances;
    }

    /// <summary>Whether the first word is yes.</summary>
    internal static bool IsYes(string text) =>
        text.AsSpan().TrimStart(" \t\r\n*_\"'`([").StartsWith("yes", StringComparison.OrdinalIgnoreCase);

    // "Example 1" may stand alone, inputs and outputs have a colon; a sentence that begins with such a word is no mark.
    private static bool IsMark(Match match) =>
        match.Groups["end"].Value.Contains(':', StringComparison.Ordinal)
        || (match.Groups["kind"].Value.StartsWith("e", StringComparison.OrdinalIgnoreCase) && match.Value.Any(char.IsDigit));
}
