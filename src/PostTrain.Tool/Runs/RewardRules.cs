using System.Globalization;
using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.RewardModeling;
using PostTrain.Rewards;
using PostTrain.Text;

namespace PostTrain.Tool;

/// <summary>The reward of a command line: a sum of rules, each <c>[WEIGHT*]NAME[:ARGUMENT]</c>.</summary>
internal sealed class RewardRules : IDisposable
{
    internal const string Help =
        "A rule, as often as wanted: math (the answer of the record), format:REGEX (of the whole completion), tags:think,answer "
        + "(these tags, once each and in order), finished, repetition, model:DIR (a reward model). 0.1*format:REGEX weighs a rule.";
    private static readonly string[] Names = ["math", "format", "tags", "finished", "repetition", "model"];
    private readonly List<SequenceClassifier> models = [];

    private RewardRules() { }

    /// <summary>The weighted sum.</summary>
    internal IReward Reward { get; private set; } = null!;

    /// <summary>Checks rules without loading a model; null for none to complain about.</summary>
    internal static string? Complaint(IReadOnlyList<string> rules)
    {
        foreach (var rule in rules)
        {
            try
            {
                var (_, name, argument) = Parse(rule);
                if (name != "model")
                    Rule(name, argument);
            }
            catch (Exception exception) when (exception is ArgumentException or UsageException)
            {
                return $"--reward is '{rule}': {exception.Message}";
            }
        }
        return null;
    }

    /// <summary>Makes the reward; reward models are loaded.</summary>
    internal static RewardRules Of(IReadOnlyList<string> rules, TrainingRun run, Terminal terminal)
    {
        var made = new RewardRules();
        try
        {
            var parts = new List<(double Weight, IReward Reward)>();
            foreach (var (weight, name, argument) in rules.Select(Parse))
                parts.Add((weight, name == "model" ? made.Learned(argument!, terminal) : Rule(name, argument)));
            made.Reward = parts is [(1, var only)] ? only : PostTrain.Rewards.Reward.Weighted([.. parts]);
            return made;
        }
        catch
        {
            made.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        foreach (var model in models)
            model.Dispose();
    }

    private IReward Learned(string directory, Terminal terminal)
    {
        if (!Directory.Exists(directory))
            throw new DirectoryNotFoundException($"--reward model: there is no directory '{directory}'");
        var model = terminal.Do($"loading the reward model of {directory}", () => Pretrained.LoadRewardModel(directory));
        models.Add(model);
        return LearnedRewards.Outcome(model, TokenizerFiles.Load(directory), new LearnedRewardOptions { CutsLonger = true });
    }

    private static IReward Rule(string name, string? argument) =>
        name switch
        {
            "math" => PostTrain.Rewards.Reward.MathAnswer(),
            "format" => PostTrain.Rewards.Reward.Format(argument!),
            "tags" => PostTrain.Rewards.Reward.TagFormat(argument!.Split(',', StringSplitOptions.TrimEntries)),
            "finished" => PostTrain.Rewards.Reward.Finished(),
            _ => PostTrain.Rewards.Reward.Repetition(),
        };

    private static (double Weight, string Name, string? Argument) Parse(string rule)
    {
        double weight = 1;
        int colon = rule.IndexOf(':', StringComparison.Ordinal),
            star = rule.IndexOf('*', StringComparison.Ordinal);
        // A pattern may have stars of its own.
        if (star >= 0 && (colon < 0 || star < colon))
        {
            if (!double.TryParse(rule[..star], NumberStyles.Float, CultureInfo.InvariantCulture, out weight) || !double.IsFinite(weight))
                throw new UsageException($"the weight is '{rule[..star]}', expected a finite number");
            (rule, colon) = (rule[(star + 1)..], colon - star - 1);
        }
        string name = colon < 0 ? rule : rule[..colon];
        string? argument = colon < 0 ? null : rule[(colon + 1)..];
        if (!Names.Contains(name))
            throw new UsageException($"expected {string.Join(", ", Names)}{NearestName.Hint(name, Names)}");
        bool takesOne = name is "format" or "tags" or "model";
        return takesOne == argument is { Length: > 0 }
            ? (weight, name, argument)
            : throw new UsageException(takesOne ? $"{name} needs an argument, as in {name}:…" : $"{name} takes no argument");
    }
}
