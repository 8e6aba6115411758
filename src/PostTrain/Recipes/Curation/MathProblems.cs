using System.Text.RegularExpressions;
using PostTrain.Data;
using PostTrain.Rewards;
using PostTrain.Rewards.Answers;

namespace PostTrain.Recipes;

/// <summary>Big-Math's criteria for problems of reinforcement learning, and the reformulation of multiple choice.</summary>
/// <remarks>Albalak et al. 2025, arXiv:2502.17387, section 3: verifiable, open-ended, closed-form. The paper lets a language model
/// reformulate; here the rule is that the question stands without its options, which drops those that refer to them. Rules by words are
/// for English.</remarks>
public static partial class MathProblems
{
    private const int LongestText = 20_000;
    private static readonly string[] Words = ["yes", "no", "true", "false"];

    /// <summary>Judges a problem.</summary>
    public static MathVerdict Judge(Problem problem)
    {
        ArgumentNullException.ThrowIfNull(problem);
        string text = problem.Prompt.Text,
            answer = problem.Answer?.Trim() ?? "";
        string? open =
            text.Length > LongestText ? $"the text has more than {LongestText} characters"
            : Options(text) is not null ? "it offers options"
            : Words.Contains(answer.TrimEnd('.'), StringComparer.OrdinalIgnoreCase) ? $"'{answer}' can be guessed"
            : Proof().IsMatch(text) ? "it asks for a proof"
            : Parts().IsMatch(text) ? "it has several parts"
            : null;
        bool parses = answer.Length > 0 && AnswerParser.CanParse(answer);
        bool exact = !Approximate().IsMatch(answer);
        return new MathVerdict(
            parses,
            open is null,
            parses && exact,
            open
                ?? (
                    answer.Length == 0 ? "it has no answer"
                    : !parses ? $"'{answer}' is no value that can be compared"
                    : null
                )
                ?? (exact ? null : $"'{answer}' is not exact")
        );
    }

    /// <summary>Makes an open problem of a multiple-choice one: without its options, and with the right one's text as the answer.</summary>
    /// <returns>The problem itself if it offers no options; null if it cannot be asked without them, or its answer is none of them or not
    /// suitable.</returns>
    public static Problem? Reformulated(Problem problem)
    {
        ArgumentNullException.ThrowIfNull(problem);
        if (
            problem.Prompt.Text.Length > LongestText
            || Options(problem.Prompt.Text) is not var (stem, options)
            || problem.Prompt.IsRendered
        )
            return problem;
        if (problem.Answer is not { } given || stem.Length == 0 || Refers().IsMatch(stem))
            return null;
        string key = given.Trim().Trim('(', ')', '.', ' ');
        int place =
            key.Length == 1 && char.ToUpperInvariant(key[0]) - 'A' is >= 0 and var letter && letter < options.Count
                ? letter
                : options.ToList().FindIndex(option => AnswerEquivalence.AreEquivalent(option, given));
        if (place < 0)
            return null;
        var open = problem with { Prompt = stem, Answer = options[place] };
        return Judge(open).IsSuitable ? open : null;
    }

    // The question before the first option, and the options A, B, C, ...; null where there are fewer than three.
    private static (string Stem, IReadOnlyList<string> Options)? Options(string text)
    {
        var marks = new List<Match>();
        foreach (Match match in Mark().Matches(text))
            if (match.Groups[1].Value[0] == 'A' + marks.Count)
                marks.Add(match);
        if (marks.Count < 3)
            return null;
        string[] options =
        [
            .. marks
                .Select((mark, i) => text[(mark.Index + mark.Length)..(i + 1 < marks.Count ? marks[i + 1].Index : text.Length)])
                .Select(option => Plain(option).Trim(',', ';', ' ').TrimEnd('.')),
        ];
        return (Plain(text[..marks[0].Index]), options);
    }

    // Without LaTeX's spaces at the ends, and without a dollar sign whose partner is elsewhere.
    private static string Plain(string text)
    {
        string plain = Spaces().Replace(text, " ").Trim();
        return plain.Count(character => character == '$') % 2 == 0 ? plain : plain.Trim('$').Trim();
    }

    [GeneratedRegex(@"\\(?:qquad|quad|\s|,|;)|~")]
    private static partial Regex Spaces();

    [GeneratedRegex(@"(?:\\textbf\{|\\text\{|(?<![A-Za-z0-9{]))\(?([A-H])[).](?:\})?(?=[\s~\\$]|$)")]
    private static partial Regex Mark();

    [GeneratedRegex(@"\b(prove|show that|proof)\b", RegexOptions.IgnoreCase)]
    private static partial Regex Proof();

    [GeneratedRegex(@"\((?:a|i)\).*\((?:b|ii)\)", RegexOptions.Singleline)]
    private static partial Regex Parts();

    [GeneratedRegex(@"\b(following|below|above options|which (one|of these|answer|statement|option))\b", RegexOptions.IgnoreCase)]
    private static partial Regex Refers();

    [GeneratedRegex(@"≈|\\approx|\.\.\.|…|\\l?dots|\b(about|approximately|roughly)\b", RegexOptions.IgnoreCase)]
    private static partial Regex Approximate();
}
