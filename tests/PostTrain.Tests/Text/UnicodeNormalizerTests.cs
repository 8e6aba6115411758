using PostTrain.Text.HuggingFace;

namespace PostTrain.Tests.Text;

public sealed class UnicodeNormalizerTests
{
    // The examples of Unicode Standard Annex 15, figures 3 to 6, and of chapter 3.12 for Hangul.
    [Theory]
    [InlineData("\u212B", "A\u030A", "\u00C5", "A\u030A", "\u00C5")]
    [InlineData("\u2126", "\u03A9", "\u03A9", "\u03A9", "\u03A9")]
    [InlineData("\u1E0D\u0307", "d\u0323\u0307", "\u1E0D\u0307", "d\u0323\u0307", "\u1E0D\u0307")]
    [InlineData("q\u0307\u0323", "q\u0323\u0307", "q\u0323\u0307", "q\u0323\u0307", "q\u0323\u0307")]
    [InlineData("\uFB01", "\uFB01", "\uFB01", "fi", "fi")]
    [InlineData("2\u2075", "2\u2075", "2\u2075", "25", "25")]
    [InlineData("\u1E9B\u0323", "\u017F\u0323\u0307", "\u1E9B\u0323", "s\u0323\u0307", "\u1E69")]
    [InlineData("\uD4DB", "\u1111\u1171\u11B6", "\uD4DB", "\u1111\u1171\u11B6", "\uD4DB")]
    [InlineData("\u0958", "\u0915\u093C", "\u0915\u093C", "\u0915\u093C", "\u0915\u093C")]
    [InlineData("\U0001D15E", "\U0001D157\U0001D165", "\U0001D157\U0001D165", "\U0001D157\U0001D165", "\U0001D157\U0001D165")]
    public void Forms_AreThoseOfTheStandard(string text, string nfd, string nfc, string nfkd, string nfkc)
    {
        Assert.Equal(nfd, Apply(text, false, false));
        Assert.Equal(nfc, Apply(text, false, true));
        Assert.Equal(nfkd, Apply(text, true, false));
        Assert.Equal(nfkc, Apply(text, true, true));
    }

    [Fact]
    public void Forms_OfAnyText_AreStableAndAgree()
    {
        foreach (string any in GoldenTokenizers.Texts(12, 900))
        {
            string text = GoldenTokenizers.Whole(any);
            string composed = Apply(text, false, true),
                decomposed = Apply(text, false, false);
            Assert.Equal(composed, Apply(composed, false, true));
            Assert.Equal(decomposed, Apply(decomposed, false, false));
            Assert.Equal(composed, Apply(decomposed, false, true));
            Assert.Equal(decomposed, Apply(composed, false, false));
            Assert.Equal(Apply(text, true, false), Apply(Apply(composed, true, true), true, false));
        }
    }

    private static string Apply(string text, bool compatibility, bool compose) =>
        new UnicodeNormalizer(compatibility, compose).Apply(new AlignedText(text, null)).Text;
}
