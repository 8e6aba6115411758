namespace PostTrain.Merging.Yaml;

/// <summary>Parameters in mergekit's YAML: numbers, lists as gradients over the layers, lists of filters with values.</summary>
internal static class MergeYamlParameters
{
    internal static MergeParameters Read(YamlNode? node, MergeMethod method)
    {
        if (node is null)
            return new MergeParameters();
        var map = node.Object();
        foreach (var (name, value) in map.Entries)
        {
            if (!method.Parameters.Contains(name))
                throw value.Refuse(
                    $"no '{name}': {method.Name} reads {string.Join(", ", method.Parameters.Order(StringComparer.Ordinal))}"
                );
        }

        LayerSetting? Setting(string name) => map.Find(name) is { } value ? Of(value, 0) : null;
        bool? Flag(string name) => map.Find(name)?.Flag();
        // The type of mergekit's masks, which changes no number.
        _ = Flag("int8_mask");
        return new MergeParameters
        {
            Weight = Setting("weight"),
            Density = Setting("density"),
            Gamma = Setting("gamma"),
            Epsilon = Setting("epsilon"),
            T = Setting("t"),
            Lambda = Setting("lambda"),
            SelectTopK = Setting("select_topk"),
            Scale = Setting("scale"),
            R = Setting("r"),
            Alpha = Setting("alpha"),
            MaxIterations = Setting("max_iter"),
            Tolerance = Setting("tol"),
            NormEpsilon = Setting("eps"),
            Normalize = Flag("normalize"),
            Rescale = Flag("rescale"),
            FilterWise = Flag("filter_wise"),
            Flatten = Flag("nuslerp_flatten"),
            RowWise = Flag("nuslerp_row_wise"),
            NormalizeWeights = Flag("normalize_weights"),
        };
    }

    private static LayerSetting Of(YamlNode node, int depth)
    {
        if (node is not YamlNode.List { Values.Count: > 0 } list)
            return node.Number();
        if (list.Values.All(item => item.MaybeNumber() is not null))
            return LayerSetting.Gradient([.. list.Values.Select(item => item.Number())]);
        if (depth > 0)
            throw node.Refuse("a number or a list of numbers");
        return LayerSetting.ByName([
            .. list.Values.Select(item =>
            {
                var rule = item.Object();
                rule.Only("filter", "value");
                return (rule.Find("filter")?.Text(), Of(rule.Get("value"), depth + 1));
            }),
        ]);
    }
}
