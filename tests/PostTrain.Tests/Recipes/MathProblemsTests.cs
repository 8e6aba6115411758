using PostTrain.Data;
using PostTrain.Recipes;

namespace PostTrain.Tests.Recipes;

/// <summary>Big-Math's criteria by examples.</summary>
public sealed class MathProblemsTests
{
    [Theory]
    [InlineData("What is 2 + 3?", "5", true, true, true)]
    [InlineData("Find x.", "\\frac{\\sqrt{2}}{3}", true, true, true)]
    [InlineData("Is 7 prime?", "Yes", false, false, false)]
    [InlineData("Prove that 2 + 3 = 5.", "5", true, false, true)]
    [InlineData("What is 2 + 3? (A) 4 (B) 5 (C) 6", "B", true, false, true)]
    [InlineData("(a) Find x. (b) Find y.", "3", true, false, true)]
    [InlineData("Describe the curve.", "it is a circle around the origin", false, true, false)]
    [InlineData("Compute pi.", "\\approx 3.14", null, true, false)]
    [InlineData("What is it?", null, false, true, false)]
    public void Judge_ByTheThreeCriteria(string text, string? answer, bool? verifiable, bool open, bool closed)
    {
        var verdict = MathProblems.Judge(new Problem(text, answer));
        if (verifiable is { } expected)
            Assert.Equal(expected, verdict.IsVerifiable);
        Assert.Equal((open, closed), (verdict.IsOpenEnded, verdict.IsClosedForm));
        Assert.Equal(verdict.IsSuitable, verdict.Reason is null);
    }

    [Theory]
    [InlineData("What is 2 + 3? (A) 4 (B) 5 (C) 6", "B", "What is 2 + 3?", "5")]
    [InlineData("What is 2 + 3?\nA. 4\nB. 5\nC. 6", "(b)", "What is 2 + 3?", "5")]
    [InlineData("What is 2 + 3? $\\textbf{(A)}\\ 4\\qquad\\textbf{(B)}\\ 5$ \\textbf{(C)} 6", "C", "What is 2 + 3?", "6")]
    [InlineData("What is 2 + 3? (A) 4 (B) 5 (C) 6", "5.0", "What is 2 + 3?", "5")]
    public void MultipleChoice_BecomesAnOpenProblem(string text, string answer, string stem, string value)
    {
        var open = MathProblems.Reformulated(new Problem(text, answer))!;
        Assert.Equal((stem, value), (open.Prompt.Text, open.Answer));
    }

    [Theory]
    [InlineData("Which of the following is prime? (A) 4 (B) 5 (C) 6", "B")]
    [InlineData("What is 2 + 3? (A) 4 (B) 5 (C) 6", "D")]
    [InlineData("What is 2 + 3? (A) 4 (B) 5 (C) none of them", "C")]
    [InlineData("(A) 4 (B) 5 (C) 6", "B")]
    public void MultipleChoice_ThatCannotStandAlone_IsDropped(string text, string answer) =>
        Assert.Null(MathProblems.Reformulated(new Problem(text, answer)));

    [Fact]
    public void OtherProblems_StayTheSameObjects()
    {
        var problem = new Problem("Alice (A) and Bob (B) have 5 apples. How many?", "5");
        Assert.Same(problem, MathProblems.Reformulated(problem));
        var hostile = new Problem(string.Concat(Enumerable.Repeat("(A) (B) (C) (", 100_000)), "A");
        Assert.Same(hostile, MathProblems.Reformulated(hostile));
        Assert.False(MathProblems.Judge(hostile).IsSuitable);
    }
}
