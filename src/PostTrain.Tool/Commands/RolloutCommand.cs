using System.CommandLine;
using PostTrain.Data;
using PostTrain.Data.Records;
using PostTrain.Rollouts;
using PostTrain.Training;

namespace PostTrain.Tool;

/// <summary>A training command on completions of the model's own: sampling and rewards.</summary>
internal abstract class RolloutCommand : TrainingCommand
{
    protected RolloutCommand(string name, string description, TrainingDefaults defaults, int groupSize, Terminal terminal)
        : base(name, description, defaults, terminal)
    {
        Reward = Of("--reward", RewardRules.Help + " [default: math]", (string[])[], help: "RULE");
        Reward.Validators.Add(result =>
        {
            if (RewardRules.Complaint(result.GetValueOrDefault<string[]>() ?? []) is { } complaint)
                result.AddError(complaint);
        });
        Tokens = Of("--tokens", "Most tokens of a completion.", 128, OptionRange.AtLeast(1));
        Temperature = Of("--temperature", "Temperature of sampling.", 1.0, OptionRange.Positive);
        TopP = Of("--top-p", "Share of the likeliest tokens that are drawn from.", 1.0, new OptionRange(1e-6, 1));
        GroupSize = Of("--group-size", "Completions of a prompt.", groupSize, OptionRange.AtLeast(1));
    }

    protected Option<string[]> Reward { get; }
    protected Option<int> Tokens { get; }
    protected Option<double> Temperature { get; }
    protected Option<double> TopP { get; }
    protected Option<int> GroupSize { get; }

    protected RunData<Problem> ReadProblems(TrainingRun run, LoadedModel model, ParseResult values) =>
        run.Read(model, RecordReader.Problems, problem => [problem.Prompt], values.GetValue(Tokens));

    protected RewardRules Rules(TrainingRun run, ParseResult values) =>
        RewardRules.Of(values.GetValue(Reward) is { Length: > 0 } rules ? rules : ["math"], run, Terminal);

    /// <summary>Sets what all trainers on completions can be told.</summary>
    protected T Shared<T>(T options, TrainingRun run, LoadedModel model, RunData<Problem> data, ParseResult values)
        where T : RolloutOptions =>
        (T)(
            (RolloutOptions)run.Options(options, model, data.Train.Count, data.Longest) with
            {
                GroupSize = values.GetValue(GroupSize),
                Sampling = Sampling(model, values),
                CompletionObservers = [run.CompletionLog],
                Evaluation = new EvaluationOptions
                {
                    Every = run.EvaluateEvery,
                    Metric = "eval/reward/mean",
                    HigherIsBetter = true,
                },
            }
        );

    private SamplingOptions Sampling(LoadedModel model, ParseResult values) =>
        model.Sampling(values.GetValue(Tokens)) with
        {
            Temperature = values.GetValue(Temperature),
            TopP = values.GetValue(TopP),
        };
}
