using System.CommandLine;
using PostTrain.Data;
using PostTrain.Data.Records;
using PostTrain.Distillation;
using PostTrain.Models;
using PostTrain.Training;

namespace PostTrain.Tool;

/// <summary><c>posttrain distill</c>: a student from a teacher's distributions, on given texts or on its own.</summary>
internal sealed class DistillCommand : TrainingCommand
{
    private static readonly IReadOnlyDictionary<string, Divergence> OnTexts = new Dictionary<string, Divergence>
    {
        ["forward_kl"] = Divergence.ForwardKl,
        ["reverse_kl"] = Divergence.ReverseKl,
        ["symmetric_kl"] = Divergence.SymmetricKl(),
        ["jsd"] = Divergence.GeneralizedJsd(0.5),
        ["total_variation"] = Divergence.TotalVariation,
    };
    private static readonly IReadOnlyDictionary<string, OnPolicyObjective> OnItsOwn = new Dictionary<string, OnPolicyObjective>
    {
        ["gkd"] = OnPolicyObjective.Gkd(),
        ["minillm"] = OnPolicyObjective.MiniLlm(),
        ["per_token"] = OnPolicyObjective.PerToken(),
    };
    private readonly Option<string?> teacher;
    private readonly Option<string?> method;
    private readonly Option<double> temperature;
    private readonly Option<double> labelWeight;
    private readonly Option<int> tokens;

    internal DistillCommand(Terminal terminal)
        : base(
            "distill",
            "Distils a teacher into a smaller model with the same vocabulary.",
            new TrainingDefaults("demonstrations; for gkd, minillm and per_token problems", 16, 1e-3, 3),
            terminal
        )
    {
        teacher = PathOf("--teacher", "Directory of the teacher.", "DIR", required: true);
        method = Choice(
            "--method",
            "What the student learns: the first five on the given texts, the others on its own completions.",
            "forward_kl",
            [.. OnTexts.Keys, .. OnItsOwn.Keys]
        );
        temperature = Of("--distillation-temperature", "Temperature of both distributions, on given texts.", 1.0, OptionRange.Positive);
        labelWeight = Of("--label-weight", "Share of the cross-entropy of the given texts.", 0.0, OptionRange.Between(0, 1));
        tokens = Of("--tokens", "Most tokens of a completion of its own.", 128, OptionRange.AtLeast(1));
    }

    protected override async Task TrainAsync(TrainingRun run, ParseResult values)
    {
        string name = values.GetValue(method)!;
        using var model = run.LoadModel();
        using var other = run.Load(values.GetValue(teacher)!, "the teacher");
        string title = $"Distillation: {name}";
        if (OnItsOwn.TryGetValue(name, out var objective))
        {
            var problems = run.Read(model, RecordReader.Problems, problem => [problem.Prompt], values.GetValue(tokens));
            var own = run.Options(
                new OnPolicyDistillationOptions
                {
                    Objective = objective,
                    Sampling = model.Sampling(values.GetValue(tokens)),
                    CompletionObservers = [run.CompletionLog],
                },
                model,
                problems.Train.Count,
                problems.Longest
            );
            using var onPolicy = new OnPolicyDistillationTrainer(model.Model, model.Tokenizer, ReferencePolicy.Of(other), own);
            var prompts = problems.HeldOut.Select(problem => problem.Prompt);
            var first = run.Answers(model, prompts, "before");
            // Without a reward there is nothing to evaluate.
            var steps = await run.TrainAsync(onPolicy, problems with { HeldOut = [] }, title).ConfigureAwait(false);
            run.Finish(model, steps, title, first, run.Answers(model, prompts, "after"));
            return;
        }
        var data = run.Read(model, RecordReader.Demonstrations, item => [item.Prompt + item.Completion]);
        var options = run.Options(
            new DistillationOptions
            {
                Divergence = OnTexts[name],
                Temperature = values.GetValue(temperature),
                LabelWeight = values.GetValue(labelWeight),
            },
            model,
            data.Train.Count,
            data.Longest
        );
        using var trainer = new DistillationTrainer(model.Model, model.Tokenizer, ReferencePolicy.Of(other), options);
        var before = run.Answers(model, data.HeldOut.Select(item => item.Prompt), "before");
        var reports = run.Train(trainer, data, title);
        run.Finish(model, reports, title, before, run.Answers(model, data.HeldOut.Select(item => item.Prompt), "after"));
    }
}
