using PostTrain.Text.HuggingFace;

namespace PostTrain.Tests.Text;

public sealed class OnigurumaTests
{
    [Theory]
    [InlineData(@"\p{L}+", "a𝐇中1", "a𝐇中|")]
    [InlineData(@"\p{N}{1,3}", "1𝟐34", "1𝟐3|4|")]
    [InlineData(@"(?i:'s)", "'s 'S 'ſ", "'s|'S|'ſ|")]
    [InlineData(@"(?i)[r-t]", "SſQ", "S|ſ|")]
    [InlineData(@"a++b", "aab", "aab|")]
    [InlineData(@"a*+a", "aaa", "")]
    [InlineData(@"a{2}+", "aaaaa", "aaaa|")]
    [InlineData(@"a$", "a\nba", "a|a|")]
    [InlineData(@"^b", "b\nb", "b|b|")]
    [InlineData(@"\h+", "xBEEFx", "BEEF|")]
    [InlineData(@"a.", "a\na😀", "a😀|")]
    [InlineData(@"\s+(?!\S)|\s+", "a   b", "  | |")]
    [InlineData(@"[a[c-d]]+", "abcd", "a|cd|")]
    [InlineData(@"[\]\-]+", "a]-", "]-|")]
    [InlineData(@"x{,2}y", "xxxy", "xxy|")]
    [InlineData(@"\x41\u0042", "AB", "AB|")]
    [InlineData(@"\w+", "é२_‿x²", "é२_‿x|")]
    [InlineData(@"(a|b)+", "abba", "abba|")]
    public void Translation_MatchesLikeOniguruma(string pattern, string text, string expected)
    {
        var matches = new List<Match>();
        RegexPattern.Create(pattern).Find(text, matches);
        Assert.Equal(expected, string.Concat(matches.Where(match => match.Found).Select(match => text[match.Start..match.End] + "|")));
        Assert.Equal(text, string.Concat(matches.Select(match => text[match.Start..match.End])));
    }

    [Theory]
    [InlineData(@"(?<x>a)", "(?<")]
    [InlineData(@"\k<x>", @"\k")]
    [InlineData(@"\R", @"\R")]
    [InlineData(@"\X", @"\X")]
    [InlineData(@"\p{Han}", @"\p{Han}")]
    [InlineData(@"[[:alpha:]]", "POSIX")]
    [InlineData(@"[a&&b]", "&&")]
    [InlineData("[😀]", "U+FFFF")]
    [InlineData("(a", "opening bracket")]
    [InlineData("a)", "closing bracket")]
    [InlineData("*a", "nothing before")]
    [InlineData("[a", "has no end")]
    [InlineData("(?~a)", "(?~")]
    [InlineData(@"a{999999}", "999999")]
    public void UnknownConstructs_AreNamed(string pattern, string part) =>
        Assert.Contains(part, Assert.Throws<ArgumentException>(() => RegexPattern.Create(pattern)).Message, StringComparison.Ordinal);
}
