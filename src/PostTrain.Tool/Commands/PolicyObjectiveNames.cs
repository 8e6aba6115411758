using PostTrain.Policy;

namespace PostTrain.Tool;

/// <summary>The objectives of <c>posttrain grpo</c> by their names.</summary>
public static class PolicyObjectiveNames
{
    /// <summary>Makes an objective for completions of at most the given number of tokens.</summary>
    public static IReadOnlyDictionary<string, Func<int, PolicyObjective>> All { get; } =
        new Dictionary<string, Func<int, PolicyObjective>>
        {
            ["grpo"] = _ => PolicyObjectives.Grpo(),
            ["dr_grpo"] = tokens => PolicyObjectives.DrGrpo(tokens),
            ["bnpo"] = _ => PolicyObjectives.Bnpo(),
            ["dapo"] = _ => PolicyObjectives.Dapo(),
            ["gspo"] = _ => PolicyObjectives.Gspo(),
            ["gspo_token"] = _ => PolicyObjectives.GspoToken(),
            ["cispo"] = _ => PolicyObjectives.Cispo(),
            ["sapo"] = _ => PolicyObjectives.Sapo(),
            ["gmpo"] = _ => PolicyObjectives.Gmpo(),
            ["luspo"] = _ => PolicyObjectives.Luspo(),
            ["vespo"] = _ => PolicyObjectives.Vespo(),
            ["dppo"] = _ => PolicyObjectives.Dppo(),
            ["rloo"] = _ => PolicyObjectives.Rloo(),
            ["reinforce"] = _ => PolicyObjectives.Reinforce(),
            ["reinforce++"] = _ => PolicyObjectives.ReinforcePlusPlus(),
            ["remax"] = _ => PolicyObjectives.ReMax(),
            ["gpg"] = _ => PolicyObjectives.Gpg(),
        };
}
