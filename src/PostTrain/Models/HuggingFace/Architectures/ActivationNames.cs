namespace PostTrain.Models.HuggingFace;

/// <summary>transformers' names of the activation functions.</summary>
internal static class ActivationNames
{
    private static readonly (string Name, Activation Activation)[] All =
    [
        ("relu", Activation.Relu),
        ("gelu", Activation.Gelu),
        ("gelu_new", Activation.GeluTanh),
        ("gelu_pytorch_tanh", Activation.GeluTanh),
        ("silu", Activation.Silu),
        ("swish", Activation.Silu),
        ("quick_gelu", Activation.QuickGelu),
    ];

    public static Activation Read(ConfigFile file, string field, string otherwise)
    {
        var name = file.OptionalText(field) ?? otherwise;
        foreach (var row in All)
        {
            if (row.Name == name)
                return row.Activation;
        }

        throw file.Error(field, $"'{name}'", "one of " + string.Join(", ", All.Select(row => row.Name)));
    }

    public static string Of(Activation activation) => Array.Find(All, row => row.Activation == activation).Name;
}
