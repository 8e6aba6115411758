using System.Text;
using System.Text.RegularExpressions;

namespace PostTrain.Refinement.Instructions;

/// <summary>Rules for a single instruction, applied before it is compared with others.</summary>
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

    /// <summary>Returns the first violated rule; null if there is none.</summary>
    /// <param name="instruction">The instruction, in one line.</param>
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
