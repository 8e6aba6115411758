using System.Text;
using System.Text.RegularExpressions;

namespace PostTrain.Refinement.Instructions;

/// <summary>The rules that an instruction must keep by itself, before it is compared with others.</summary>
internal sealed class InstructionFilter
{
    private readonly SelfInstructOptions options;
    private readonly Regex? keywords;

    internal InstructionFilter(SelfInstructOptions options)
    {
        this.options = options;
        if (options.Keywords.Count > 0)
            keywords = new Regex(
                $@"\b({string.Join('|', options.Keywords.Select(Regex.Escape))})\b",
                RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.NonBacktracking
            );
    }

    /// <summary>The first rule that is broken; null where none is.</summary>
    /// <param name="instruction">In one line.</param>
    internal SelfInstructRejection? Broken(string instruction)
    {
        int words = instruction.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length;
        if (words < options.MinWords)
            return SelfInstructRejection.TooShort;
        if (words > options.MaxWords)
            return SelfInstructRejection.TooLong;
        if (keywords?.IsMatch(instruction) == true)
            return SelfInstructRejection.Keyword;
        if (options.Beginnings.Any(beginning => instruction.StartsWith(beginning, StringComparison.OrdinalIgnoreCase)))
            return SelfInstructRejection.Beginning;
        var first = Rune.GetRuneAt(instruction, 0);
        return Rune.IsLetterOrDigit(first) && (first.IsAscii || !options.AsciiStart) ? null : SelfInstructRejection.NotText;
    }
}
