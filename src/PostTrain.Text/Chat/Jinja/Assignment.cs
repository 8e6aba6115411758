namespace PostTrain.Text.Chat.Jinja;

/// <summary>Sets names, tuples of names and the attributes of namespaces.</summary>
internal static class Assignment
{
    internal static void Set(Run run, Scope scope, Target target, object? value)
    {
        switch (target)
        {
            case NameTarget name:
                scope.Set(name.Name, value);
                break;
            case AttributeTarget attribute:
                if (!scope.TryGet(attribute.Namespace, out var owner) || owner is not NamespaceValue space)
                    throw run.Error($"cannot set an attribute of '{attribute.Namespace}', expected a namespace");
                run.Charge();
                space.Attributes[attribute.Name] = value;
                break;
            case TupleTarget tuple:
                var items = Items.Of(run, value);
                if (items.Length != tuple.Parts.Length)
                    throw run.Error($"{items.Length} values for {tuple.Parts.Length} names");
                for (var place = 0; place < items.Length; place++)
                    Set(run, scope, tuple.Parts[place], items[place]);
                break;
        }
    }
}
