using System.Collections;
using static TorchSharp.torch;

namespace TorchSharp.Modules
{
    /// <summary>Modules under names of their own, in the order in which they came.</summary>
    public class ModuleDict<T> : nn.Module, IEnumerable<(string, T)> where T : nn.Module
    {
        private readonly Utils.OrderedDict<string, T> items = new();

        public ModuleDict() : base("ModuleDict") { }

        public T this[string key]
        {
            get => items[key];
            set
            {
                items[key] = value;
                Rename();
            }
        }

        public (string, T) this[int index]
        {
            get => items[index];
            set
            {
                items[index] = value;
                Rename();
            }
        }

        public int Count => items.Count;
        public bool IsReadOnly => false;
        public ICollection<string> Keys => items.Keys;
        public ICollection<T> Values => items.Values;

        public void Add(string key, T value)
        {
            items.Add(key, value);
            Rename();
        }

        public void Add((string, T) item) => Add(item.Item1, item.Item2);

        public bool Remove(string key)
        {
            bool removed = items.Remove(key);
            Rename();
            return removed;
        }

        public void Clear()
        {
            items.Clear();
            Rename();
        }

        public void clear() => Clear();
        public bool ContainsKey(string key) => items.ContainsKey(key);
        public bool TryGetValue(string key, [System.Diagnostics.CodeAnalysis.MaybeNullWhen(false)] out T value) => items.TryGetValue(key, out value);
        public IEnumerable<string> keys() => items.keys();
        public IEnumerable<T> values() => items.values();
        public IEnumerator<(string, T)> GetEnumerator() => items.GetEnumerator();
        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

        protected override void RegisterComponents() => Rename();

        private void Rename()
        {
            ClearModules();
            foreach (var (key, module) in items) register_module(key, module);
        }
    }
}

namespace TorchSharp
{
    public static partial class torch
    {
        public static partial class nn
        {
            public static Modules.ModuleDict<T> ModuleDict<T>(params (string, T)[] modules) where T : Module
            {
                var dictionary = new Modules.ModuleDict<T>();
                foreach (var entry in modules) dictionary.Add(entry);
                return dictionary;
            }

            public static Modules.ModuleDict<Module> ModuleDict(params (string, Module)[] modules) => ModuleDict<Module>(modules);
        }
    }
}
