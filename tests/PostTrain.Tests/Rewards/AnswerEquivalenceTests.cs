using PostTrain.Rewards;

namespace PostTrain.Tests.Rewards;

public sealed class AnswerEquivalenceTests
{
    public static TheoryData<string, string> Equal =>
        new()
        {
            // text
            { "", "" },
            { "x", "x" },
            { " x ", "x" },
            { "Paris", "Paris." },
            { "$x^2$", "x^2" },
            { "\\left(1,2\\right)", "(1,2)" },
            { "\\(x\\)", "x" },
            { "a b", "a b" },
            // integers
            { "42", "42" },
            { "42", " 42\n" },
            { "42", "42." },
            { "42", "042" },
            { "42", "+42" },
            { "42", "42.0" },
            { "42", "42.000" },
            { "0", "-0" },
            { "0", "000" },
            { "0", "0.0" },
            { "-7", "-07" },
            { "-7", "\u22127" },
            { "-7", "- 7" },
            { "1000", "1,000" },
            { "1234567", "1,234,567" },
            { "1,234,567.0", "1234567" },
            { "1000", "1{,}000" },
            { "1000", "1\\,000" },
            { "1000", "1,\\!000" },
            { "$18", "18" },
            { "\\$18", "18" },
            { "-$18", "-18" },
            { "$1,250.00", "1250" },
            { "123456789012345678901234567890", "123,456,789,012,345,678,901,234,567,890" },
            // decimals and exponents
            { "0.5", ".5" },
            { "0.5", "0.50" },
            { "0.5", "00.500" },
            { "-.5", "-0.5" },
            { "3.14159", "3.14159000" },
            { "5.", "5" },
            { "1e3", "1000" },
            { "1.5E-2", "0.015" },
            { "2.5e+1", "25" },
            { "0.333333333", "1/3" },
            { "1234.5", "1,234.5" },
            { "0", "0%" },
            // fractions
            { "1/2", "0.5" },
            { "1/2", "2/4" },
            { "1 / 2", "1/2" },
            { "-1/2", "-0.5" },
            { "4/2", "2" },
            { "\\frac{1}{2}", "1/2" },
            { "\\dfrac{3}{4}", "0.75" },
            { "\\tfrac{3}{4}", "6/8" },
            { "-\\frac{1}{2}", "-0.5" },
            { "$\\frac{10}{4}$", "2.5" },
            { "1 1/2", "1.5" },
            { "1\\frac{1}{2}", "3/2" },
            { "-1 1/2", "-1.5" },
            { "0/5", "0" },
            // per cent
            { "50%", "0.5" },
            { "50\\%", "50%" },
            { "50 %", "50%" },
            { "100%", "1" },
            { "12.5%", "1/8" },
            { "-5%", "-0.05" },
            { "1/2%", "0.005" },
            { "1,000%", "10" },
        };

    public static TheoryData<string, string> Different =>
        new()
        {
            { "", "0" },
            { "x", "y" },
            { "x", "X" },
            { "Paris", "London" },
            { "42", "43" },
            { "42", "-42" },
            { "42", "4.2" },
            { "42", "420" },
            { "42", "forty-two" },
            { "1000000", "1000001" },
            { "9007199254740992", "9007199254740993" },
            { "123456789012345678901234567890", "123456789012345678901234567891" },
            { "1,00", "100" },
            { "1,0000", "10000" },
            { "12,34", "1234" },
            { "1234,567", "1234567" },
            { ",100", "100" },
            { "1.000.000", "1000000" },
            { "1,2", "12" },
            { "0.5", "0.51" },
            { "0.333", "1/3" },
            { "0", "0.0000001" },
            { "1e-300", "0" },
            { "1e-300", "2e-300" },
            { "1e999", "2e999" },
            { "1e999", "-1e999" },
            { "e3", "1000" },
            { "1/2", "2" },
            { "1/0", "2/0" },
            { "0/0", "0" },
            { "1/0", "0" },
            { "1/2", "1/3" },
            { "\\frac{1}{2}", "\\frac{2}{1}" },
            { "\\frac{1}{2}", "12" },
            { "50%", "50" },
            { "50%", "5" },
            { "%", "0" },
            { "%", "" },
            { ".", "0" },
            { "-", "0" },
            { "+", "" },
            { "--5", "5" },
            { "-+5", "-5" },
            { "5 5", "55" },
            { "2**3", "8" },
            { "NaN", "0" },
            { "Infinity", "1e999" },
            { "0x10", "16" },
            { "\u0664", "4" },
            { "42 apples", "42" },
            { "1 000", "1000" },
        };

    [Theory]
    [MemberData(nameof(Equal))]
    public void AreEquivalent_EqualPairs_BothWays(string left, string right)
    {
        Assert.True(AnswerEquivalence.AreEquivalent(left, right));
        Assert.True(AnswerEquivalence.AreEquivalent(right, left));
    }

    [Theory]
    [MemberData(nameof(Different))]
    public void AreEquivalent_DifferentPairs_BothWays(string left, string right)
    {
        Assert.False(AnswerEquivalence.AreEquivalent(left, right));
        Assert.False(AnswerEquivalence.AreEquivalent(right, left));
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(0.0009, false)]
    [InlineData(0.0011, true)]
    public void AreEquivalent_ToleranceIsRelative(double tolerance, bool expected)
    {
        // |0.333 - 1/3| / (1/3) = 0.001
        Assert.Equal(expected, AnswerEquivalence.AreEquivalent("0.333", "1/3", tolerance));
        Assert.Equal(expected, AnswerEquivalence.AreEquivalent("333000.5", "333333.8338", tolerance));
        Assert.False(AnswerEquivalence.AreEquivalent("333000", "333333", tolerance));
    }

    [Fact]
    public void AreEquivalent_IsTotalReflexiveAndSymmetricOnRandomTexts()
    {
        var random = new Random(7);
        var texts = new string[400];
        for (var i = 0; i < texts.Length; i++)
            texts[i] = string.Concat(
                random.GetItems<string>(
                    ["0", "1", "5", "-", "+", ".", ",", "/", "%", "e", " ", "\\frac{", "}{", "}", "$", "\\", "\ud800", "x"],
                    random.Next(8)
                )
            );
        var equal = 0;
        foreach (var left in texts)
        {
            Assert.True(AnswerEquivalence.AreEquivalent(left, left));
            foreach (var right in texts)
            {
                var same = AnswerEquivalence.AreEquivalent(left, right);
                Assert.Equal(same, AnswerEquivalence.AreEquivalent(right, left));
                equal += same ? 1 : 0;
            }
        }

        Assert.InRange(equal, texts.Length + 1, texts.Length * texts.Length / 2);
    }

    [Theory]
    [InlineData("1")]
    [InlineData(" ")]
    [InlineData("1,000,")]
    [InlineData("-1 ")]
    [InlineData("1/")]
    [InlineData("\\frac{")]
    public void AreEquivalent_LongHostileTexts_TakeLinearTime(string unit)
    {
        var text = "-" + string.Concat(Enumerable.Repeat(unit, 200_000 / unit.Length));
        var watch = System.Diagnostics.Stopwatch.StartNew();
        Assert.False(AnswerEquivalence.AreEquivalent(text + "x", text + "y"));
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(10), $"took {watch.Elapsed}");
    }

    [Fact]
    public void AreEquivalent_NegativeTolerance_IsRefused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => AnswerEquivalence.AreEquivalent("1", "1", -1));
}
