using System.Text.RegularExpressions;

namespace PostTrain.Rewards;

/// <summary>Implements <see cref="Reward.Format"/>.</summary>
internal static class FormatReward
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    internal static IReward Create(string name, string pattern, RegexOptions options)
    {
        var regex = Anchored(pattern, options | RegexOptions.CultureInvariant);
        return new FunctionReward(name, (completion, _) => Matches(regex, completion.Text) ? 1 : 0);
    }

    private static bool Matches(Regex regex, string text)
    {
        try
        {
            return regex.IsMatch(text);
        }
        catch (RegexMatchTimeoutException)
        {
            return false;
        }
    }

    private static Regex Anchored(string pattern, RegexOptions options)
    {
        // The pattern alone first: "a)|(b" would become valid inside the group. The line end closes a comment of (?x).
        _ = new Regex(pattern, options, Patience);
        var anchored = options.HasFlag(RegexOptions.IgnorePatternWhitespace) ? $@"\A(?:{pattern}{'\n'})\z" : $@"\A(?:{pattern})\z";
        try
        {
            return new Regex(anchored, options | RegexOptions.NonBacktracking, Patience);
        }
        catch (Exception exception) when (exception is NotSupportedException or ArgumentOutOfRangeException)
        {
            // Look-around, back-references, atomic groups, and options that this engine does not support.
            return new Regex(anchored, options, Patience);
        }
    }
}
