using PostTrain.Data;
using PostTrain.Refinement;
using PostTrain.Refinement.Restarts;
using PostTrain.Rewards;

namespace PostTrain.Tests.Refinement;

public sealed class TraceExamplesTests
{
    private static readonly Problem Sum = new("1+1=", "2"),
        Other = new("2+2=", "4"),
        Third = new("3+3=", "6");

    // Repaired in the second revision, after one that was worse and not kept.
    private static readonly RefinementTrace Repaired = new(
        Sum,
        [Of(Sum, "1+1=", "3", 0.5), Of(Sum, "1+1=|3", "9", 0.2, kept: false), Of(Sum, "1+1=|3", "2", 1, accepted: true)],
        IsOpen: false
    );

    // Right at once.
    private static readonly RefinementTrace AtOnce = new(Other, [Of(Other, "2+2=", "4", 1, accepted: true)], IsOpen: false);

    // Better, but cut off by the limit on its length; then worse, which the rule took.
    private static readonly RefinementTrace CutOff = new(
        Third,
        [Of(Third, "3+3=", "1", 0.1), Of(Third, "3+3=|1", "555", 0.4, finished: false), Of(Third, "3+3=|555", "0", 0)],
        IsOpen: true
    );

    private static readonly RefinementTrace[] Traces = [Repaired, AtOnce, CutOff];

    [Fact]
    public void Corrections_AreRevisionsThatBettered()
    {
        Assert.Equal([new Demonstration("1+1=|3", "2")], TraceExamples.Corrections(Traces));
        Assert.Equal(
            [new Demonstration("1+1=|3", "9"), new Demonstration("3+3=|555", "0")],
            TraceExamples.Corrections(Traces, (later, earlier) => later.Feedback.Score < earlier.Feedback.Score)
        );
        Assert.Single(TraceExamples.Corrections([Repaired, Repaired]));
    }

    [Fact]
    public void Answers_AndConfirmations_AreOfWhatWasAccepted()
    {
        Assert.Equal([new Demonstration("1+1=", "2"), new Demonstration("2+2=", "4")], TraceExamples.Answers(Traces));
        var template = new RevisionTemplate { Format = "{problem}{attempt}?" };
        Assert.Equal([new Demonstration("1+1=2?", "2"), new Demonstration("2+2=4?", "4")], TraceExamples.Confirmations(Traces, template));
        Assert.Equal([new Demonstration("3+3=", "0")], TraceExamples.Answers(Traces, attempt => attempt.Feedback.Score == 0));
    }

    [Fact]
    public void Repairs_PreferTheLastToTheFirst()
    {
        Assert.Equal([new PreferencePair("1+1=", "2", "3")], TraceExamples.Repairs(Traces));
        Assert.Equal(
            [new PreferencePair("3+3=", "0", "1")],
            TraceExamples.Repairs(Traces, (later, earlier) => later.Feedback.Score < earlier.Feedback.Score)
        );
    }

    [Fact]
    public void Revisions_KnowWhatTheyBeganFrom()
    {
        var restarts = TraceExamples.Revisions(Traces);
        // The revision that was not kept is none of what the next one begins from.
        Assert.Equal(
            [("1+1=|3", 0.5), ("1+1=|3", 0.5), ("3+3=|1", 0.1), ("3+3=|555", 0.4)],
            restarts.Select(restart => (restart.Problem.Prompt, restart.EarlierReward))
        );
        Assert.Equal(new Restart(new Problem("1+1=|3", "2"), Sum, "", 0.5), restarts[0]);
    }

    private static Attempt Of(
        Problem problem,
        string prompt,
        string text,
        double score,
        bool accepted = false,
        bool kept = true,
        bool finished = true
    ) => new(prompt, new Completion(problem, text, [], finished), new Feedback("", score, accepted), kept, null);
}
