using PostTrain.Data;
using PostTrain.Refinement;
using PostTrain.Rewards;

namespace PostTrain.Samples.Support;

/// <summary>The revision of a sum: the earlier answer and its criticism, then the sum. The model's context is too short for the whole
/// earlier text.</summary>
public static class SumRevision
{
    private const int LongestAnswer = 4;

    /// <summary>The prompt of a revision, such as <c>642+2;347+285=</c>: the answer was 642, wrong in the second column from the
    /// right.</summary>
    public static RevisionTemplate Template { get; } =
        new()
        {
            Format = "{attempt}+{feedback};{problem}",
            QuoteAttempt = Answer,
            QuoteFeedback = text => text,
        };

    /// <summary>Returns the criticism of an external checker: nothing for a correct completion, otherwise the first wrong column of the
    /// answer from the right; 0 if there is no answer.</summary>
    public static string WrongColumn(Completion completion)
    {
        ArgumentNullException.ThrowIfNull(completion);
        var (given, right) = (Answer(completion.Text), completion.Problem.Answer!);
        if (ArithmeticTask.IsRight(completion))
            return "";
        if (given.Length == 0)
            return "0";
        return $"{1 + given.Reverse().Zip(right.Reverse()).TakeWhile(pair => pair.First == pair.Second).Count()}";
    }

    private static string Answer(string text) =>
        AnswerExtraction.Extract(text, AnswerPlaces.Tags) is { Length: <= LongestAnswer } answer && answer.All(char.IsAsciiDigit)
            ? answer
            : "";
}
