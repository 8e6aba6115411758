using PostTrain.Rewards;

namespace PostTrain.Tests.Rewards;

public sealed class AnswerExtractionTests
{
    [Theory]
    [InlineData(@"so \boxed{42}.", "42")]
    [InlineData(@"\boxed{1} then \boxed{2}", "2")]
    [InlineData(@"\boxed{\frac{1}{2}}", @"\frac{1}{2}")]
    [InlineData(@"\boxed{a\boxed{b}c}", @"a\boxed{b}c")]
    [InlineData(@"\boxed{ {x} }", "{x}")]
    [InlineData(@"{ \boxed{5}", "5")]
    [InlineData(@"} \boxed{5}", "5")]
    [InlineData(@"\boxed{\{1,2\}}", @"\{1,2\}")]
    [InlineData(@"\boxed{7} and \boxed{8", "7")]
    [InlineData(@"\boxed{7} and \boxed{ }", "7")]
    [InlineData(@"\boxed{8", null)]
    [InlineData(@"\boxed 8", null)]
    [InlineData("boxed{8}", null)]
    public void Extract_Boxed(string text, string? expected) => Assert.Equal(expected, AnswerExtraction.Extract(text, AnswerPlaces.Boxed));

    [Theory]
    [InlineData("5 + 5 = 10\n#### 10", "10")]
    [InlineData("#### 10\nand more", "10")]
    [InlineData("#### 1\r\n#### 1,200\r\n", "1,200")]
    [InlineData("####", null)]
    [InlineData("#### \n7", null)]
    [InlineData("### 7", null)]
    public void Extract_Hashes(string text, string? expected) => Assert.Equal(expected, AnswerExtraction.Extract(text, AnswerPlaces.Hashes));

    [Theory]
    [InlineData("<think>1</think><answer> 12 </answer>", "12")]
    [InlineData("<answer>1</answer><answer>2</answer>", "2")]
    [InlineData("<answer>1<answer>2</answer>", "2")]
    [InlineData("<answer>a\nb</answer>", "a\nb")]
    [InlineData("<answer></answer>", null)]
    [InlineData("<answer>1", null)]
    [InlineData("1</answer>", null)]
    [InlineData("</answer>1<answer>", null)]
    [InlineData("the answer is 12", null)]
    public void Extract_Tags(string text, string? expected) => Assert.Equal(expected, AnswerExtraction.Extract(text, AnswerPlaces.Tags));

    [Theory]
    [InlineData("3 and 4", "4")]
    [InlineData("It costs $1,234.50.", "1,234.50")]
    [InlineData("The answer is 7.", "7")]
    [InlineData("x = -3", "-3")]
    [InlineData("x=\u22123", "\u22123")]
    [InlineData("-$5", "-$5")]
    [InlineData("5-3", "3")]
    [InlineData("(5)-3", "3")]
    [InlineData("5 - 3", "3")]
    [InlineData("half is .5", ".5")]
    [InlineData("-.5", "-.5")]
    [InlineData("about 3/4", "3/4")]
    [InlineData("it is 25%", "25%")]
    [InlineData(@"it is 25\%", @"25\%")]
    [InlineData("3+4=7", "7")]
    [InlineData("1, 2, 3", "3")]
    [InlineData("1,2345", "2345")]
    [InlineData("12345,678", "678")]
    [InlineData("v1.2.3", "3")]
    [InlineData("1/2/3", "3")]
    [InlineData("answer42", "42")]
    [InlineData("none", null)]
    [InlineData("- . $ %", null)]
    [InlineData("\u0664", null)]
    public void Extract_LastNumber(string text, string? expected) => Assert.Equal(expected, AnswerExtraction.Extract(text, AnswerPlaces.LastNumber));

    [Theory]
    [InlineData("So the answer is 12.", "12")]
    [InlineData("The answer is 12 apples in all. I had 3 before.", "12")]
    [InlineData("The answer is: $\\frac{1}{2}$. Done", "$\\frac{1}{2}$")]
    [InlineData("**Answer:** x = 5 because 2 + 3", "x = 5")]
    [InlineData("Answer: 1\nThe ANSWER IS 2\nbye 3", "2")]
    [InlineData("the answer is surely 7", "7")]
    [InlineData("the answer is Paris.", "Paris")]
    [InlineData("the answer is", null)]
    [InlineData("7 it is", null)]
    public void Extract_Phrase(string text, string? expected) => Assert.Equal(expected, AnswerExtraction.Extract(text, AnswerPlaces.Phrase));

    [Theory]
    [InlineData(@"\boxed{1} #### 2 <answer>3</answer> 4", "1")]
    [InlineData("<answer>3</answer> 4\n#### 2", "2")]
    [InlineData("<answer>3</answer> 4", "3")]
    [InlineData("<answer></answer> 4", "4")]
    [InlineData("", null)]
    public void Extract_AnyPlace_TakesTheMarkedOneFirst(string text, string? expected) => Assert.Equal(expected, AnswerExtraction.Extract(text));

    [Theory]
    [InlineData("\\boxed{")]
    [InlineData("<answer>")]
    [InlineData("1,")]
    [InlineData("-$")]
    [InlineData("{}")]
    public void Extract_LongHostileTexts_TakeLinearTime(string unit)
    {
        var text = string.Concat(Enumerable.Repeat(unit, 300_000));
        var watch = System.Diagnostics.Stopwatch.StartNew();
        AnswerExtraction.Extract(text);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(10), $"took {watch.Elapsed}");
    }
}
