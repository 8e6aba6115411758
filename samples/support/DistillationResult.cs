using PostTrain.Data;
using PostTrain.Distillation;
using PostTrain.Models;
using PostTrain.Rewards;
using PostTrain.Training.Reports;

namespace PostTrain.Samples.Support;

/// <summary>Distance of a model from its teacher on held-out examples, one value each.</summary>
/// <param name="Name">Of the model.</param>
/// <param name="Losses">−log of the completions under the model, nats per token.</param>
/// <param name="Forward">KL(teacher, model) at the completions' tokens, nats per token.</param>
/// <param name="Own">KL(model, teacher) at the tokens of the model's own most likely answers, nats per token.</param>
/// <param name="Answers">Those answers.</param>
/// <param name="Time">Training; null where nothing was trained.</param>
public sealed record DistillationResult(
    string Name,
    double[] Losses,
    double[] Forward,
    double[] Own,
    IReadOnlyList<Completion> Answers,
    TimeSpan? Time
)
{
    /// <summary>Right answers; meaningful on the toy only.</summary>
    public Proportion Right => Measure.Right(Answers);

    /// <summary>Measures a model.</summary>
    /// <param name="name">Of the model.</param>
    /// <param name="model">It.</param>
    /// <param name="teacher">What it is compared with.</param>
    /// <param name="subject">Has the tokenizer.</param>
    /// <param name="data">Has the held-out examples.</param>
    /// <param name="tokens">The most tokens of an answer.</param>
    /// <param name="time">Of its training.</param>
    public static DistillationResult Of(
        string name,
        CausalLm model,
        CausalLm teacher,
        Subject subject,
        TaskData data,
        int tokens,
        TimeSpan? time = null
    )
    {
        ArgumentNullException.ThrowIfNull(subject);
        ArgumentNullException.ThrowIfNull(data);
        DistillationTrainer Comparing(Divergence divergence) =>
            new(model, subject.Tokenizer, ReferencePolicy.Of(teacher), new DistillationOptions { Divergence = divergence });
        using DistillationTrainer forward = Comparing(Divergence.ForwardKl),
            reverse = Comparing(Divergence.ReverseKl);
        var answers = Measure.Answers(model, subject.Tokenizer, data.Problems, tokens);
        return new DistillationResult(
            name,
            Measure.Values(forward, data.HeldOut, "eval/nll"),
            Measure.Losses(forward, data.HeldOut),
            Measure.Losses(reverse, [.. answers.Select(answer => new Demonstration(answer.Problem.Prompt, answer.Text))]),
            answers,
            time
        );
    }

    /// <summary>A table of models, and the difference of two of them, example by example.</summary>
    public static ReportTable Table(
        IReadOnlyList<DistillationResult> results,
        DistillationResult after,
        DistillationResult anchor,
        bool isToy
    )
    {
        ArgumentNullException.ThrowIfNull(results);
        ArgumentNullException.ThrowIfNull(after);
        ArgumentNullException.ThrowIfNull(anchor);
        string[] IfToy(string text) => isToy ? [text] : [];
        var differences = after.Minus(anchor, isToy).Select(item => item.Difference.ToString());
        return new ReportTable(
            ["held out", "loss", "KL(teacher, model)", "KL(model, teacher), own answers", .. IfToy("right answers"), "training"],
            [
                .. results.Select(result =>
                    (string[])
                        [
                            result.Name,
                            .. result.Values.Select(values => Estimate.Of(values).ToString()),
                            .. IfToy(result.Right.ToString()),
                            result.Time is { } time ? Format.Seconds(time) : "–",
                        ]
                ),
                [$"{after.Name} − {anchor.Name}", .. differences, "–"],
            ]
        );
    }

    /// <summary>This model's values less another's, example by example.</summary>
    public IEnumerable<(string Name, Estimate Difference)> Minus(DistillationResult other, bool isToy)
    {
        ArgumentNullException.ThrowIfNull(other);
        foreach (
            var (name, values, others) in new[]
            {
                ("loss", Losses, other.Losses),
                ("forward_kl", Forward, other.Forward),
                ("own_kl", Own, other.Own),
            }
        )
            yield return (name, Estimate.OfDifference(values, others));
        if (isToy)
            yield return ("accuracy", Estimate.OfDifference(Hits, other.Hits));
    }

    /// <summary>For <c>summary.json</c>.</summary>
    public Dictionary<string, object> Summary(bool isToy)
    {
        var summary = new Dictionary<string, object>
        {
            ["loss"] = Losses.Average(),
            ["forward_kl"] = Forward.Average(),
            ["own_kl"] = Own.Average(),
        };
        if (isToy)
            (summary["accuracy"], summary["accuracy_interval"]) = (Right.Value, Right.Interval());
        if (Time is { } time)
            summary["training_seconds"] = Math.Round(time.TotalSeconds, 2);
        return summary;
    }

    private double[][] Values => [Losses, Forward, Own];

    private double[] Hits => [.. Answers.Select(answer => ArithmeticTask.IsRight(answer) ? 1.0 : 0)];
}
